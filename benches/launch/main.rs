//! Launches, side by side: Pinfold and bubblewrap given the same plan.
//!
//! Each round runs every command once, in an order that changes, so that a
//! machine which gets slower or faster does so for all; ratios are taken
//! within a round. What is measured is the time from the start of the
//! launcher to the first instruction of the application ("start") and to the
//! launcher's end ("total").
//!
//! After the launches come single system calls, timed from inside (`calls`).
//!
//! `benches/run` builds what this needs and calls it.

mod calls;
mod peer;
mod rounds;

use std::path::PathBuf;
use std::process::ExitCode;

use rounds::{Command, Figures};

/// What the command line asks for.
struct Options {
    rounds: usize,
    program: PathBuf,
    stamp: PathBuf,
    calls: Option<PathBuf>,
    flatpak_filter: Option<PathBuf>,
    json: Option<PathBuf>,
    grants: Vec<usize>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        rounds: 200,
        program: PathBuf::from(env!("CARGO_BIN_EXE_pinfold")),
        stamp: PathBuf::new(),
        calls: None,
        flatpak_filter: None,
        json: None,
        grants: vec![10, 100],
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--rounds" => options.rounds = value()?.parse().map_err(|_| "--rounds N")?,
            "--program" => options.program = value()?.into(),
            "--stamp" => options.stamp = value()?.into(),
            "--calls" => options.calls = Some(value()?.into()),
            "--flatpak-filter" => options.flatpak_filter = Some(value()?.into()),
            "--json" => options.json = Some(value()?.into()),
            "--grants" => {
                let list = value()?;
                options.grants = list
                    .split(',')
                    .map(|number| number.parse().map_err(|_| "--grants N,N"))
                    .collect::<Result<_, _>>()?;
            }
            // What `cargo bench` itself adds.
            "--bench" => {}
            other => return Err(format!("unknown argument {other}")),
        }
    }
    if options.stamp.as_os_str().is_empty() {
        return Err("--stamp PROGRAM is needed; benches/run builds it".to_owned());
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("launch: {message}");
            ExitCode::FAILURE
        }
    }
}

/// A table of the report.
struct Table {
    title: String,
    figures: Vec<Figures>,
}

fn measure(options: &Options) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let tables = if options.rounds > 0 { launches(options, &scratch)? } else { Vec::new() };
    print(options, &tables);
    let calls = match &options.calls {
        Some(program) => {
            let manifest = scratch.manifest("org.example.Calls", program, APPLICATION)?;
            Some(calls::measure(options, program, &manifest)?)
        }
        None => None,
    };
    if let Some(calls) = &calls {
        calls.print();
    }
    if let Some(path) = &options.json {
        let value: Vec<_> = tables
            .iter()
            .map(|table| serde_json::json!({ "title": table.title, "commands": table.figures.iter().map(Figures::json).collect::<Vec<_>>() }))
            .collect();
        let text = format!(
            "{:#}\n",
            serde_json::json!({
                "rounds": options.rounds,
                "tables": value,
                "calls": calls.map(|calls| calls.json()),
            })
        );
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn launches(options: &Options, scratch: &Scratch) -> Result<Vec<Table>, String> {
    let mut tables = Vec::new();
    let manifest = scratch.manifest("org.example.Empty", &options.stamp, "")?;
    tables.push(pair(options, "empty manifest", &manifest, &["--disable-userns"])?);
    let manifest = scratch.manifest("org.example.Application", &options.stamp, APPLICATION)?;
    tables.push(pair(options, "a document viewer's manifest", &manifest, &["--disable-userns"])?);
    tables.push(pair(
        options,
        "the same; bubblewrap without its second user namespace",
        &manifest,
        &[],
    )?);
    if let Some(table) = with_bus(options, scratch)? {
        tables.push(table);
    }
    for count in &options.grants {
        let manifest = scratch.grants(*count, &options.stamp)?;
        tables.push(pair(options, &format!("{count} grants"), &manifest, &["--disable-userns"])?);
    }

    Ok(tables)
}

/// The viewer with a session bus that is filtered; the peer's filter is
/// xdg-dbus-proxy. None where no bus runs.
fn with_bus(options: &Options, scratch: &Scratch) -> Result<Option<Table>, String> {
    let Ok(address) = std::env::var("DBUS_SESSION_BUS_ADDRESS") else { return Ok(None) };
    let name = "org.freedesktop.Notifications";
    let text = format!("{APPLICATION}\n[bus.session]\ntalk = [\"{name}\"]\n");
    let manifest = scratch.manifest("org.example.Bus", &options.stamp, &text)?;
    let pinfold = Command::new(
        "pinfold",
        &options.program,
        ["run", "--quiet", &manifest].map(str::to_owned).to_vec(),
    );
    pinfold.once()?;
    let socket = scratch.folder.path().join("proxy").display().to_string();
    let dest = format!("/run/user/{}/bus", rustix::process::getuid().as_raw());
    let extra = ["--disable-userns", "--bind", &socket, &dest];
    let mut peer = peer::bubblewrap(&options.program, &manifest, &extra, None)?;
    peer.rename("bubblewrap, xdg-dbus-proxy");
    let talk = format!("--talk={name}");
    peer.proxy =
        Some(rounds::Proxy { arguments: [address, socket, "--filter".to_owned(), talk].to_vec() });
    let figures = rounds::run(&[peer, pinfold], options.rounds)?;
    Ok(Some(Table { title: "a document viewer's manifest with a session bus".to_owned(), figures }))
}

/// What the viewers of the catalogue state.
const APPLICATION: &str = r#"
[filesystem]
read = ["xdg-documents", "xdg-download", { path = "/usr/share/doc", exec = false }]
[display]
wayland = true
x11 = "fallback"
[audio]
playback = true
[devices]
allow = ["gpu"]
"#;

fn pair(options: &Options, title: &str, manifest: &str, extra: &[&str]) -> Result<Table, String> {
    let pinfold = Command::new(
        "pinfold",
        &options.program,
        ["run", "--quiet", manifest].map(str::to_owned).to_vec(),
    );
    // The first run makes the application's home, which the peer needs too.
    pinfold.once()?;
    let peer = peer::bubblewrap(&options.program, manifest, extra, None)?;
    let bare = Command::new("no sandbox", &options.stamp, Vec::new());
    let figures = rounds::run(&[peer, pinfold, bare], options.rounds)?;
    Ok(Table { title: title.to_owned(), figures })
}

fn print(options: &Options, tables: &[Table]) {
    if tables.is_empty() {
        return;
    }
    println!(
        "Medians of {} rounds, in ms; ratios to bubblewrap are medians of each round's.",
        options.rounds
    );
    for table in tables {
        println!("\n{}\n", table.title);
        println!("| command | start | total | start p10 .. p90 | ratio of starts |");
        println!("|---|---|---|---|---|");
        for figure in &table.figures {
            println!("{}", figure.row());
        }
    }
}

/// A folder for manifests and things to grant, gone at the end.
struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let folder = tempfile::tempdir_in("/var/tmp").map_err(|error| error.to_string())?;
        Ok(Scratch { folder })
    }

    fn manifest(&self, id: &str, stamp: &std::path::Path, rest: &str) -> Result<String, String> {
        let path = self.folder.path().join(format!("{id}.toml"));
        let text = format!(
            "schema = 1\nid = \"{id}\"\ncommand = [{:?}]\n{rest}",
            stamp.display().to_string()
        );
        std::fs::write(&path, text).map_err(|error| error.to_string())?;
        Ok(path.display().to_string())
    }

    fn grants(&self, count: usize, stamp: &std::path::Path) -> Result<String, String> {
        let mut read = String::new();
        for number in 0..count {
            let folder = self.folder.path().join(format!("grant-{number}"));
            std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
            read.push_str(&format!("    {:?},\n", folder.display().to_string()));
        }
        self.manifest(
            &format!("org.example.Grants{count}"),
            stamp,
            &format!("[filesystem]\nread = [\n{read}]\n"),
        )
    }
}
