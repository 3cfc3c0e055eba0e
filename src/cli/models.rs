//! `lares models`: what models there are, and whether their files match their cards.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::ConfigArg;
use crate::{config::ModelsConfig, infer};

/// List the models, or verify them against their cards.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelsArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Folder of models and cards [default: the configuration's, else models/]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// A line for each card
    Ls,
    /// Check each model file against its card's sha256
    Verify,
}

/// Lists or verifies.
///
/// # Errors
/// When the folder cannot be read.
pub fn run(args: &ModelsArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let configured = args.config.load()?.map(|config| config.models);
    let models = configured.unwrap_or_else(ModelsConfig::default);
    let dir = args.dir.clone().unwrap_or(models.dir);
    let mut code = ExitCode::SUCCESS;
    for (path, card) in ModelCard::list(&dir)? {
        match (card, &args.action) {
            (Ok(card), Action::Ls) => writeln!(
                out,
                "{:16} {:7} {:6} {:12} {}",
                card.name, card.task, card.precision, card.sizes_text(), card.licence
            )?,
            (Ok(card), Action::Verify) => match card.verify() {
                Ok(()) => writeln!(out, "{:16} ok", card.name)?,
                Err(error) => {
                    writeln!(out, "{:16} {error}", card.name)?;
                    code = ExitCode::FAILURE;
                }
            },
            (Err(error), _) => {
                writeln!(out, "{}: {error}", path.display())?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
