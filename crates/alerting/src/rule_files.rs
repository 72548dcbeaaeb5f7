//! Rule files as they lie on disk, and those that come with the program.

use std::path::{Path, PathBuf};

use rules::{
    Problem, RuleFile,
    unit::{self, TestFile},
};
use rust_embed::Embed;

use crate::Settings;

/// The rules that come with the program.
#[derive(Embed)]
#[folder = "../../rules"]
struct BuiltIn;

/// Where the files of rules that come with the program seem to lie.
const BUILT_IN_PREFIX: &str = "builtin/";
/// The file that only a demo uses.
const DEMO_FILE: &str = "demo.yml";

/// Which of the rules that come with the program are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltInRules {
    /// None.
    None,
    /// Those for daemons.
    Daemons,
    /// Those, and the ones that let a demo show alerts soon.
    Demo,
}

/// Why rules could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file cannot be opened, or a pattern is none.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file or pattern.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is not what it should be: one line for each thing that is wrong.
    #[error("{}", .problems.iter().map(|problem| format!("{}:{problem}", file.display())).collect::<Vec<_>>().join("\n"))]
    Content {
        /// The file.
        file: PathBuf,
        /// All that is wrong.
        problems: Vec<Problem>,
    },
}

/// The text of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub file: PathBuf,
    pub text: String,
    pub is_built_in: bool,
}

/// One file, read and checked.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub file: String,
    pub rules: RuleFile,
    pub is_built_in: bool,
}

/// The rules of some settings, read and checked.
#[derive(Debug)]
pub struct LoadedRules {
    pub(crate) settings: Settings,
    pub(crate) texts: Vec<Text>,
    pub(crate) files: Vec<Loaded>,
}

impl LoadedRules {
    /// Reads the rules of these settings and does nothing with them: a server that would not start should not have begun anything.
    ///
    /// # Errors
    /// A file of rules cannot be read or is wrong.
    pub fn read(settings: Settings) -> Result<Self, FilesError> {
        let texts = texts(settings.built_in, &settings.files)?;
        let files = parse(&texts)?;
        Ok(LoadedRules { settings, texts, files })
    }
}

/// Reads one file of rules.
///
/// # Errors
/// It cannot be opened, or is not a good file of rules.
pub fn read(file: &Path) -> Result<RuleFile, FilesError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| FilesError::File { file: file.to_owned(), reason: error.to_string() })?;
    RuleFile::parse(&text).map_err(|problems| FilesError::Content { file: file.to_owned(), problems })
}

/// Runs the unit tests of a file; how many there are.
///
/// # Errors
/// The file or one of rules that it names cannot be read or is wrong, or a test failed.
pub fn run_tests(file: &Path) -> Result<usize, FilesError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| FilesError::File { file: file.to_owned(), reason: error.to_string() })?;
    let content = |problems| FilesError::Content { file: file.to_owned(), problems };
    let tests = TestFile::parse(&text).map_err(|problem| content(vec![problem]))?;
    let directory = file.parent().unwrap_or(Path::new(""));
    let patterns: Vec<PathBuf> = tests.rule_files.iter().map(|pattern| directory.join(pattern)).collect();
    let mut rules = Vec::new();
    for file in expand(&patterns)? {
        rules.push((file.display().to_string(), read(&file)?));
    }
    let problems = unit::run(&tests, &rules);
    if problems.is_empty() { Ok(tests.test_count()) } else { Err(content(problems)) }
}

/// The texts of all files that there are now, those that come with the program first.
///
/// # Errors
/// A file that is named cannot be opened, or a pattern is none.
pub(crate) fn texts(built_in: BuiltInRules, patterns: &[PathBuf]) -> Result<Vec<Text>, FilesError> {
    let mut texts = Vec::new();
    for name in BuiltIn::iter() {
        let is_used = name.ends_with(".yml")
            && match built_in {
                BuiltInRules::None => false,
                BuiltInRules::Daemons => name != DEMO_FILE,
                BuiltInRules::Demo => true,
            };
        if let Some(content) = BuiltIn::get(&name).filter(|_| is_used) {
            let text = String::from_utf8_lossy(&content.data).into_owned();
            texts.push(Text { file: PathBuf::from(format!("{BUILT_IN_PREFIX}{name}")), text, is_built_in: true });
        }
    }
    for file in expand(patterns)? {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| FilesError::File { file: file.clone(), reason: error.to_string() })?;
        texts.push(Text { file, text, is_built_in: false });
    }
    Ok(texts)
}

/// The files that patterns mean, each once, sorted within a pattern. One without a wildcard means itself.
///
/// # Errors
/// A pattern is none.
pub fn expand(patterns: &[PathBuf]) -> Result<Vec<PathBuf>, FilesError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        let text = pattern.to_string_lossy();
        let wrong = |reason: String| FilesError::File { file: pattern.clone(), reason };
        let found: Vec<PathBuf> = if text.contains(['*', '?', '[']) {
            glob::glob(&text).map_err(|error| wrong(error.to_string()))?.filter_map(Result::ok).collect()
        } else {
            vec![pattern.clone()]
        };
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// Parses and checks texts.
///
/// # Errors
/// The first file that is not a good one, with all that is wrong in it.
pub(crate) fn parse(texts: &[Text]) -> Result<Vec<Loaded>, FilesError> {
    texts
        .iter()
        .map(|text| match RuleFile::parse(&text.text) {
            Ok(rules) => {
                let file = text.file.display().to_string();
                for problem in rules.warnings() {
                    tracing::warn!("{file}:{problem}");
                }
                Ok(Loaded { file, rules, is_built_in: text.is_built_in })
            }
            Err(problems) => Err(FilesError::Content { file: text.file.clone(), problems }),
        })
        .collect()
}
