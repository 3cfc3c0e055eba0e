//! Which models there are (`model_folder`), what their cards say (`card`, `card_reader`), and which variant of a model
//! this machine runs best (`variants`), timed once and kept (`benchmark_cache`).

mod benchmark_cache;
pub mod card;
mod card_reader;
pub(super) mod model_folder;
pub(super) mod variants;
