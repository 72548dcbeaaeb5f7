//! The dashboards: built-in files, and those in the operator's directory.

pub mod annotations;
pub mod related_panels;

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{
    dashboard::{Dashboard, PanelKind},
    page::{DashboardLink, Session},
    route::{PAGES, PageKind, PageRoute},
};
use query_frontend::aliases::{Aliases, Table};
use rust_embed::RustEmbed;
use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;
use yaml::YamlError;

#[derive(RustEmbed)]
#[folder = "../../dashboards"]
struct BuiltIn;

/// The file with metric aliases, among the dashboards.
const ALIASES: &str = "aliases.yaml";

/// The metric aliases: those in `directory`, if it has some, before the built-in ones.
///
/// # Errors
///
/// The file is invalid.
pub fn aliases(directory: Option<&Path>) -> Result<Aliases, YamlError> {
    Ok(Aliases::new(alias_tables(directory)?))
}

/// The tables of [`aliases`], in their order.
///
/// # Errors
///
/// The file is invalid.
pub fn alias_tables(directory: Option<&Path>) -> Result<Vec<Table>, YamlError> {
    let mut tables: Vec<Table> = Vec::new();
    if let Some(file) = directory.map(|directory| directory.join(ALIASES)).filter(|file| file.exists()) {
        tables.push(yaml::read(&file)?);
    }
    if let Some(file) = BuiltIn::get(ALIASES) {
        tables.push(yaml::parse(Path::new(ALIASES), &String::from_utf8_lossy(&file.data))?);
    }
    Ok(tables)
}

/// All dashboards by UID, as they were read last. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DashboardRegistry(Arc<Library>);

#[derive(Debug)]
struct Library {
    dashboards: BTreeMap<String, Dashboard>,
    /// The operator's files by path.
    files: BTreeMap<PathBuf, ReadFile>,
    version: String,
}

/// A file, and what is shown of it.
#[derive(Debug, Clone)]
struct ReadFile {
    text: String,
    /// As it was when it was valid last.
    dashboard: Option<Dashboard>,
    /// Why the text is not a dashboard.
    fault: Option<String>,
}

impl DashboardRegistry {
    /// Loads the built-in dashboards and those in `directory`, which override built-in ones with the same UID.
    ///
    /// # Errors
    ///
    /// The first invalid file.
    pub fn load(directory: Option<&Path>) -> Result<Self, YamlError> {
        let mut files = BTreeMap::new();
        for (path, text) in directory.map(texts).transpose()?.unwrap_or_default() {
            let dashboard = Some(parse(&path, &text)?);
            files.insert(path, ReadFile { text, dashboard, fault: None });
        }
        Self::of(files)
    }

    /// The dashboards as they are now, if a file in `directory` has changed. Of a file that became invalid the dashboard that it was stays.
    ///
    /// # Errors
    ///
    /// The directory or a file in it cannot be read.
    pub fn renewed(&self, directory: &Path) -> Result<Option<Self>, YamlError> {
        let texts = texts(directory)?;
        let known = &self.0.files;
        if texts.len() == known.len()
            && texts.iter().all(|(path, text)| known.get(path).is_some_and(|file| file.text == *text))
        {
            return Ok(None);
        }
        let mut files = BTreeMap::new();
        for (path, text) in texts {
            let before = known.get(&path);
            let file = match (before.filter(|before| before.text == text), parse(&path, &text)) {
                (Some(unchanged), _) => unchanged.clone(),
                (None, Ok(dashboard)) => ReadFile { text, dashboard: Some(dashboard), fault: None },
                (None, Err(error)) => ReadFile {
                    text,
                    dashboard: before.and_then(|before| before.dashboard.clone()),
                    fault: Some(error.to_string()),
                },
            };
            files.insert(path, file);
        }
        Self::of(files).map(Some)
    }

    fn of(files: BTreeMap<PathBuf, ReadFile>) -> Result<Self, YamlError> {
        let mut dashboards = BTreeMap::new();
        let mut version = DefaultHasher::new();
        for name in BuiltIn::iter().filter(|name| name != ALIASES) {
            let Some(file) = BuiltIn::get(&name) else { continue };
            let dashboard = parse(Path::new(&*name), &String::from_utf8_lossy(&file.data))?;
            dashboards.insert(dashboard.uid.clone(), dashboard);
        }
        for (path, file) in &files {
            (path, &file.text).hash(&mut version);
            if let Some(dashboard) = &file.dashboard {
                dashboards.insert(dashboard.uid.clone(), dashboard.clone());
            }
        }
        let version = format!("{:x}", version.finish());
        Ok(DashboardRegistry(Arc::new(Library { dashboards, files, version })))
    }

    /// Changes when a file does.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// What is wrong with files that cannot be shown as they are now. `session` hears of those whose dashboard it may see; one that is not
    /// limited, of all.
    #[must_use]
    pub fn faults(&self, session: &Session) -> Vec<&str> {
        let concerns = |file: &&ReadFile| {
            let uid = file.dashboard.as_ref().map(|dashboard| &dashboard.uid);
            session.dashboards.is_empty() || uid.is_some_and(|uid| session.dashboards.contains(uid))
        };
        self.0.files.values().filter(concerns).filter_map(|file| file.fault.as_deref()).collect()
    }

    /// What is wrong with files, whoever asks.
    pub fn all_faults(&self) -> impl Iterator<Item = &str> {
        self.0.files.values().filter_map(|file| file.fault.as_deref())
    }

    /// All dashboards, ordered by UID.
    pub fn all(&self) -> impl Iterator<Item = &Dashboard> {
        self.0.dashboards.values()
    }

    /// The dashboard with this UID.
    #[must_use]
    pub fn get(&self, uid: &str) -> Option<&Dashboard> {
        self.0.dashboards.get(uid)
    }

    /// The dashboard whose page has this path.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Dashboard> {
        let (route, values) = PageRoute::at(path)?;
        match route.kind {
            PageKind::Dashboard => self.get(route.home_of.or(values.first().map(String::as_str))?),
            _ => None,
        }
    }

    /// Navigation entries that a session may see.
    #[must_use]
    pub fn links(&self, session: &Session) -> Vec<DashboardLink> {
        let all = self.links_of_all().into_iter();
        all.filter(|link| session.dashboards.is_empty() || session.dashboards.contains(&link.uid)).collect()
    }

    /// Navigation entries of all dashboards.
    #[must_use]
    pub fn links_of_all(&self) -> Vec<DashboardLink> {
        let home = PAGES.iter().filter_map(|page| Some((page.path.to_owned(), self.get(page.home_of?)?)));
        let further = self
            .all()
            .filter(|dashboard| PAGES.iter().all(|page| page.home_of != Some(&*dashboard.uid)))
            .map(|dashboard| (PageRoute::path_to(PageKind::Dashboard, &[&dashboard.uid]), dashboard));
        home.chain(further)
            .map(|(path, dashboard)| DashboardLink { uid: dashboard.uid.clone(), title: dashboard.title.clone(), path })
            .collect()
    }
}

/// The files of dashboards in a directory with their texts, in the order of their names.
fn texts(directory: &Path) -> Result<Vec<(PathBuf, String)>, YamlError> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).map_err(|reason| YamlError::File { file: path.clone(), reason })?;
        Ok((path, text))
    };
    yaml_files(directory)?.into_iter().map(read).collect()
}

fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>, YamlError> {
    let unreadable = |reason: std::io::Error| YamlError::File { file: directory.to_owned(), reason };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.file_name().is_some_and(|name| name != ALIASES)
            && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Positions of the panels in a file.
#[derive(Deserialize)]
struct Places {
    #[serde(default)]
    panels: Vec<Spanned<IgnoredAny>>,
}

/// Reads the dashboard in a file like [`parse`].
///
/// # Errors
///
/// The file is unreadable or invalid.
pub fn read(file: &Path) -> Result<Dashboard, YamlError> {
    let text = std::fs::read_to_string(file).map_err(|reason| YamlError::File { file: file.to_owned(), reason })?;
    parse(file, &text)
}

/// Parses and checks a dashboard.
///
/// # Errors
///
/// The first problem with its position.
pub fn parse(file: &Path, text: &str) -> Result<Dashboard, YamlError> {
    let dashboard: Dashboard = yaml::parse(file, text)?;
    let Places { panels: places } = yaml::parse(file, text)?;
    let wrong_at = |place: Option<&Spanned<IgnoredAny>>, message: String| {
        let (line, column) = place.map_or((1, 1), |place| (place.referenced.line(), place.referenced.column()));
        YamlError::Content { file: file.to_owned(), line, column, message }
    };
    let wrong = |message: String| wrong_at(None, message);
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if !is_name(&dashboard.uid) {
        return Err(wrong(format!("uid {:?}: use up to 64 letters, digits, - and _", dashboard.uid)));
    }
    let mut ids = HashSet::new();
    for (at, panel) in dashboard.panels.iter().enumerate() {
        let of_panel = |message: String| wrong_at(places.get(at), format!("panel {:?}: {message}", panel.id));
        if !is_name(&panel.id) {
            return Err(of_panel("its id may have up to 64 letters, digits, - and _".to_owned()));
        }
        if !ids.insert(&panel.id) {
            return Err(of_panel("another panel has the same id".to_owned()));
        }
        if !(1..=24).contains(&panel.width) || !(1..=40).contains(&panel.height) {
            return Err(of_panel("width is 1 to 24 columns, height 1 to 40 rows".to_owned()));
        }
        let has_feed = matches!(panel.kind, PanelKind::Jobs | PanelKind::Alerts | PanelKind::Sources);
        if has_feed != panel.queries.is_empty() {
            return Err(of_panel(if has_feed {
                "this kind shows a feed of its own and takes no queries".to_owned()
            } else {
                "it needs at least one query".to_owned()
            }));
        }
        for query in &panel.queries {
            promql::parse(&query.expr).map_err(|error| of_panel(format!("query {:?}: {error}", query.expr)))?;
        }
    }
    Ok(dashboard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_dashboards_are_valid_and_have_their_pages() {
        let library = DashboardRegistry::load(None).unwrap();
        for page in PAGES.into_iter().filter(|page| page.home_of.is_some()) {
            assert_eq!(Some(&*library.at(page.path).unwrap().uid), page.home_of);
        }
        assert!(library.at("/d/hypersdk-jobs").is_some());
        assert!(library.at("/d/hypersdk%2Djobs").is_some());
        assert!(library.at("/d/none").is_none());
    }

    #[test]
    fn a_wrong_file_is_told_by_name_and_cause() {
        let complaint = |text: &str| parse(Path::new("x.yaml"), text).unwrap_err().to_string();
        let error = complaint(
            "uid: x\ntitle: X\npanels:\n  - { id: a, title: A, kind: stat, width: 4, height: 4, queries: [{ expr: 'sum(' }] }\n",
        );
        assert!(error.starts_with("x.yaml:4:5: panel \"a\": query \"sum(\""), "{error}");
        let error = complaint("uid: x\ntitle: X\npannels: []\n");
        assert_eq!(error, "x.yaml:3:1: unknown key `pannels`: did you mean `panels`?");
        assert!(complaint("uid: x y\ntitle: X\npanels: []\n").starts_with("x.yaml:1:1: uid \"x y\""));
    }

    #[test]
    fn a_file_that_breaks_leaves_the_dashboard_that_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hall.yaml");
        let write = |title: &str| std::fs::write(&file, format!("uid: hall\ntitle: {title}\npanels: []\n")).unwrap();
        write("One");
        let first = DashboardRegistry::load(Some(directory.path())).unwrap();
        assert!(first.renewed(directory.path()).unwrap().is_none(), "nothing has changed");

        write("Two");
        let second = first.renewed(directory.path()).unwrap().unwrap();
        assert_eq!(second.get("hall").unwrap().title, "Two");
        assert_ne!(first.version(), second.version());

        write("[");
        let broken = second.renewed(directory.path()).unwrap().unwrap();
        assert_eq!(broken.get("hall").unwrap().title, "Two");
        let mut session = Session {
            name: String::new(),
            role: model::role::Role::Viewer,
            expires_at: None,
            dashboards: Vec::new(),
            matchers: String::new(),
        };
        assert!(broken.faults(&session).concat().contains("hall.yaml:"), "{:?}", broken.faults(&session));
        session.dashboards = vec!["other".to_owned()];
        assert!(broken.faults(&session).is_empty(), "it is none of theirs");
        assert!(broken.renewed(directory.path()).unwrap().is_none(), "the same fault is no news");

        write("Three");
        let mended = broken.renewed(directory.path()).unwrap().unwrap();
        assert_eq!((mended.get("hall").unwrap().title.as_str(), mended.all_faults().count()), ("Three", 0));
        std::fs::remove_file(&file).unwrap();
        assert!(mended.renewed(directory.path()).unwrap().unwrap().get("hall").is_none());
        std::fs::remove_dir(directory.path()).unwrap();
        assert!(mended.renewed(directory.path()).is_err());
    }
}
