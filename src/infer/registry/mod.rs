//! Which models there are (`model_folder`), what their cards say (`card`), and which variant of a model
//! this machine runs best (`variants`), timed once and kept (`benchmark_cache`).

mod benchmark_cache;
pub mod card;
pub(super) mod model_folder;
pub(super) mod variants;
