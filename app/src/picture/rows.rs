//! The panel kinds that are tables: queries joined by label, jobs, and sources.

use model::{
    dashboard::Panel,
    job::{Job, JobStatus},
    panel::PanelData,
    unit::{self, Unit},
    upstream::UpstreamKind,
};

use super::{
    Setting,
    canvas::{Area, Canvas, length},
    frame::message,
    numbers::color_of,
    table::{Cell, Column, Look, Table},
};
use crate::panels::{
    jobs::{
        order::{self, Choice, elapsed_ms},
        row::{note, rate, short_vm, state_of},
    },
    legend::column_names,
    plot_series::ABSENT,
    sources::{kind_name, look_of},
    table::{heading, join},
};

/// Most rows that are laid out.
const MOST: usize = 500;

/// Below this width, a table of sources has only its most important columns.
const NARROW: f32 = 760.0;

fn column(heading: impl Into<String>, is_number: bool) -> Column {
    Column { heading: heading.into(), is_number }
}

/// Draws a table with a row for each set of labels and a column for each query.
pub(super) fn queries(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData) {
    let joined = join(panel, data).cut();
    let labels = joined.labels.iter().map(|label| column(heading(label), false));
    let numbers = column_names(panel).into_iter().map(|name| column(name, true));
    let rows = joined.rows.iter().map(|row| {
        let names = row.names.iter().map(Cell::words);
        let cells = row.cells.iter().map(|cell| match cell {
            Some((_, written)) => {
                let color = color_of(written);
                let look = Look { color: color.to_owned(), is_bold: color != "text", meaning: written.meaning };
                Cell::Words(written.text.clone(), look)
            }
            None => Cell::Words(ABSENT.to_owned(), Look { color: "muted".to_owned(), ..Look::default() }),
        });
        names.chain(cells).collect()
    });
    Table { columns: labels.chain(numbers).collect(), rows: rows.collect(), left_out: joined.left_out }
        .draw(canvas, area);
}

/// Draws the jobs, running ones first. A narrow table has fewer columns, as on a page.
pub(super) fn jobs(canvas: &mut Canvas, area: Area, data: &PanelData, setting: &Setting) {
    let PanelData::Jobs(jobs) = data else { return };
    if jobs.is_empty() {
        return message(canvas, area, "text", "No jobs", &["No daemon has a job."]);
    }
    let columns: Vec<order::Column> =
        order::Column::ALL.into_iter().filter(|column| fits(*column, area.width)).collect();
    let chosen = Choice::default().select(jobs, setting.now_ms);
    let rows = chosen
        .iter()
        .take(MOST)
        .filter_map(|index| jobs.get(*index))
        .map(|job| columns.iter().map(|column| job_cell(job, *column, setting.now_ms)).collect::<Vec<Cell>>());
    let headings = columns.iter().map(|column| self::column(column.heading(), column.class().contains("is-number")));
    Table { columns: headings.collect(), rows: rows.collect(), left_out: chosen.len().saturating_sub(MOST) }
        .draw(canvas, area);
}

/// Whether a column of the jobs is shown at a width. The widths are those of the style sheet.
fn fits(column: order::Column, width: f32) -> bool {
    use order::Column as C;
    match column {
        C::Vm => width > 1_020.0,
        C::Elapsed => width > 860.0,
        C::Provider | C::Rate => width > 620.0,
        C::Eta => width > 420.0,
        C::Status | C::Name | C::Progress => true,
    }
}

fn job_cell(job: &Job, column: order::Column, now_ms: i64) -> Cell {
    use order::Column as C;
    let absent = || ABSENT.to_owned();
    match column {
        C::Status => {
            let (word, shape, color) = state_of(job);
            Cell::Chip(format!("{shape} {word}"), chart::palette::name(color), String::new())
        }
        C::Name => {
            let name = if job.name.is_empty() { job.id.clone() } else { job.name.clone() };
            Cell::Name(name, note(job), if job.status == JobStatus::Failed { "red" } else { "muted" })
        }
        C::Vm => Cell::words(short_vm(&job.vm)),
        C::Provider => Cell::words(job.provider.as_str()),
        C::Progress => {
            let color = match job.status {
                JobStatus::Failed => "red",
                JobStatus::Completed => "green",
                JobStatus::Cancelled => "gray",
                _ => "blue",
            };
            Cell::Progress(job.percent.map(|percent| length(percent / 100.0)), color)
        }
        C::Rate => Cell::words(rate(job)),
        C::Eta => Cell::words(job.eta_seconds.map_or_else(absent, unit::rough_duration_secs)),
        C::Elapsed => Cell::words(elapsed_ms(job, now_ms).map_or_else(absent, unit::rough_duration)),
    }
}

/// Draws the states of all sources.
pub(super) fn sources(canvas: &mut Canvas, area: Area, data: &PanelData, setting: &Setting) {
    let PanelData::Sources(sources, systems) = data else { return };
    if sources.is_empty() {
        return message(canvas, area, "text", "No sources", &["No daemon and no Prometheus is configured."]);
    }
    let written = |unit: &str, value: Option<f64>| {
        Cell::words(value.map_or_else(|| ABSENT.to_owned(), |value| Unit::from_id(unit).format(value, None)))
    };
    let rows = sources.iter().map(|source| {
        let system = systems.iter().find(|system| source.kind == UpstreamKind::Daemon && system.daemon == source.name);
        let (color, shape) = look_of(source.state);
        let since = format!("for {}", unit::whole_duration(setting.now_ms.saturating_sub(source.since_ms)));
        let last = source.last_data_ms.map(|last_ms| unit::age(setting.now_ms.saturating_sub(last_ms)));
        let what: Vec<&str> = [Some(kind_name(source.kind)), source.detail.as_deref(), source.error.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        vec![
            Cell::Name(source.name.clone(), String::new(), "muted"),
            Cell::Chip(format!("{shape} {}", source.state.name()), chart::palette::name(color), since),
            Cell::words(last.unwrap_or_else(|| "never".to_owned())),
            Cell::words(source.reconnects.to_string()),
            written("s", source.scrape_duration_seconds),
            written("percent", system.and_then(|system| system.cpu_percent)),
            written("bytes", system.and_then(|system| system.memory_bytes)),
            Cell::words(what.join(", ")),
        ]
    });
    let columns = [
        ("Source", false),
        ("State", false),
        ("Last data", true),
        ("Reconnects", true),
        ("Scrape time", true),
        ("CPU", true),
        ("Memory", true),
        ("What it is", false),
    ];
    let columns = columns.map(|(heading, is_number)| column(heading, is_number)).to_vec();
    let mut table = Table { columns, rows: rows.collect(), left_out: 0 };
    if area.width < NARROW {
        table.keep(&[0, 1, 2, 7]);
    }
    table.draw(canvas, area);
}
