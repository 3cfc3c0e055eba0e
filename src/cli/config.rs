//! `lares config`: the configuration as a file: migrated, described, or begun.

use std::{fs, io::Write, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Subcommand;

use super::{ConfigArg, DEFAULT_CONFIG, environment};
use crate::{
    app::backup,
    config::{Config, ConfigError, migrate, registry},
};

const EXAMPLES: &str = "\
Examples:
  lares config sample > lares.toml               a configuration with every key and its default
  lares config migrate --config lares.toml       version 1 becomes version 2; the old file is kept
  lares config migrate --print                   show the new file and write nothing
  lares config schema > lares.schema.json        the JSON Schema, for an editor";

/// Migrate the configuration, or print its sample or schema.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Rewrite a file of version 1 with the names of version 2
    Migrate(MigrateArgs),
    /// Print a configuration with every key and its default
    Sample,
    /// Print the JSON Schema of the configuration
    Schema,
}

#[derive(Debug, Clone, clap::Args)]
struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Print the new file instead of writing it
    #[arg(long)]
    print: bool,
}

/// Migrates or prints.
///
/// # Errors
/// When there is no file, it is not of version 1, it has problems, or it cannot be written.
pub fn run(args: &ConfigArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Migrate(args) => migrate_file(args, out)?,
        Action::Sample => out.write_all(registry::sample().as_bytes())?,
        Action::Schema => writeln!(out, "{:#}", registry::schema())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn migrate_file(args: &MigrateArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let named = args.config.config.clone();
    let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
    let old = fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let migrated = migrate(&old)?;
    if args.print {
        out.write_all(migrated.text.as_bytes())?;
        return Ok(());
    }
    // A file with problems stays as it is: its problems are told in its own names.
    let environment = environment();
    let before = Config::load(&path, &environment)?;
    let folder = path.parent().unwrap_or_else(|| ".".as_ref());
    let after = Config::parse(&migrated.text, folder, &environment);
    anyhow::ensure!(
        after.is_ok_and(|after| after.keys() == before.keys()),
        "the new file would not mean the same as {}: it was not written. Rename its keys by hand (docs/configuration.md)",
        path.display()
    );
    let kept = backup::replace(&path, &old, &migrated.text)
        .with_context(|| format!("cannot write {}", path.display()))?;
    for (was, name) in &migrated.renamed {
        writeln!(out, "{was} is now {name}")?;
    }
    writeln!(
        out,
        "{} has version 2; the old file is {}",
        path.display(),
        kept.display()
    )?;
    Ok(())
}
