//! `lares models`: what models there are, and whether their files match their cards.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::ConfigArg;
use crate::{
    config::ModelsConfig,
    infer::{self, Card},
};

const EXAMPLES: &str = "\
Examples:
  lares models ls                              the models; * marks those in use
  lares models --dir my-models verify          whether the files are what their cards say";

/// List the models, or verify them against their cards.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
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
    /// A line for each card; those in use are marked
    Ls,
    /// Check each model file against its card's sha256
    Verify,
}

/// Lists or verifies.
///
/// # Errors
/// When there is no card at all.
pub fn run(args: &ModelsArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let configured = args.config.load()?.map(|config| config.models);
    let models = configured.unwrap_or_default();
    let dir = args.dir.as_ref().unwrap_or(&models.dir);
    let cards = infer::list(dir);
    anyhow::ensure!(
        !cards.is_empty(),
        "there is no model card in {}: name the folder of the models with --dir, or run this where models/ is",
        dir.display()
    );
    let mut code = ExitCode::SUCCESS;
    for (name, card) in cards {
        match (card, &args.action) {
            (Ok(card), Action::Ls) => writeln!(out, "{}", line(&card, &models))?,
            (Ok(_), Action::Verify) => writeln!(out, "ok       {name}")?,
            (Err(error), _) => {
                writeln!(out, "problem  {name}: {error}")?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn line(card: &Card, models: &ModelsConfig) -> String {
    let mark = if [&models.motion, &models.person].contains(&&card.name) {
        "*"
    } else {
        " "
    };
    let sizes: Vec<_> = card
        .input
        .sizes()
        .map(|size| format!("{}x{}", size.width, size.height))
        .collect();
    format!("{mark} {card}  {}", sizes.join(" "))
}
