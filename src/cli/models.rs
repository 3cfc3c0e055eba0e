//! `lares models`: what models there are, and whether their files match their cards.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::ConfigArg;
use crate::infer::{self, InferError, ModelEntry};

const EXAMPLES: &str = "\
Examples:
  lares models ls                              the models; * marks those in use here
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
    /// A line for each card: those in use are marked; of two precisions, which runs best here
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
    let mut models = configured.unwrap_or_default();
    if let Some(dir) = &args.dir {
        models.dir.clone_from(dir);
    }
    let lines: Vec<_> = match args.action {
        Action::Ls => infer::survey(&models).into_iter().map(listed).collect(),
        Action::Verify => infer::list(&models.dir)
            .into_iter()
            .map(|(name, card)| match card {
                Ok(_) => Ok(format!("ok       {name}")),
                Err(error) => Err(problem(&name, &error)),
            })
            .collect(),
    };
    anyhow::ensure!(
        !lines.is_empty(),
        "there is no model card in {}: name the folder of the models with --dir, or run this where models/ is",
        models.dir.display()
    );
    let mut code = ExitCode::SUCCESS;
    for line in lines {
        let line = line.unwrap_or_else(|problem| {
            code = ExitCode::FAILURE;
            problem
        });
        writeln!(out, "{line}")?;
    }
    Ok(code)
}

fn problem(name: &str, error: &InferError) -> String {
    format!("problem  {name}: {error}")
}

/// A card's line, or what is wrong with it.
fn listed(shelved: ModelEntry) -> Result<String, String> {
    let card = shelved
        .card
        .map_err(|error| problem(&shelved.name, &error))?;
    let mark = if shelved.in_use { "*" } else { " " };
    let sizes: Vec<_> = card
        .input
        .sizes()
        .map(|size| format!("{}x{}", size.width, size.height))
        .collect();
    let comparison = shelved.comparison.map_or(String::new(), |comparison| {
        let best = if comparison.best {
            "runs best here: "
        } else {
            ""
        };
        format!("  {best}{comparison}")
    });
    Ok(format!("{mark} {card}  {}{comparison}", sizes.join(" ")))
}
