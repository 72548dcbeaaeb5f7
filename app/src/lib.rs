//! The pages of hyperscope.

pub mod panels;
/// t
#[derive(Debug, Clone)]
pub struct AssetPaths {
    /// t
    pub js: String,
    /// t
    pub wasm: String,
    /// t
    pub css: String,
}
/// t
pub struct PageInput {
    /// t
    pub boot: model::page::Boot,
    /// t
    pub panels: std::collections::HashMap<String, model::panel::PanelData>,
    /// t
    pub job: Option<model::job::JobDetail>,
    /// t
    pub assets: AssetPaths,
    /// t
    pub nonce: String,
    /// t
    pub tz_offset_min: i32,
}
/// t
pub fn render_document(input: PageInput, _p: &str) -> String {
    format!("<html><pre>{:#?}</pre>", input.panels)
}
