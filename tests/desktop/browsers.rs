//! Browsers: the sandbox that they build themselves, for each page, stands
//! inside Pinfold's, and pages are drawn by processes within both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::desk::{Desk, wait_for};
use crate::remote::{DevTools, Marionette};
use crate::run::{self, App};
use crate::{Outcome, tests, windows};

tests! {
    chromium_keeps_its_own_sandbox needs ["chromium"],
    chromium_does_not_start_without needs ["chromium"],
    firefox_keeps_its_own_sandbox needs ["firefox-esr"],
    firefox_says_what_it_lacks_without needs ["firefox-esr"],
}

pub const CHROMIUM: &str = "org.chromium.Chromium";
pub const FIREFOX: &str = "org.mozilla.firefox";

/// The colour of the page that is looked at.
const COLOUR: [u8; 3] = [18, 200, 58];
const PAGE: &str = "data:text/html,<title>Green</title><body style=background:rgb(18,200,58)>";

/// Nothing is asked of the network.
pub const CHROMIUM_FLAGS: [&str; 7] = [
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--password-store=basic",
];

/// Writes the person's own lines for an application: what differs from the
/// manifest that is shipped.
fn own_lines(home: &Path, id: &str, lines: &str) {
    let folder = home.join(".config/pinfold");
    fs::create_dir_all(&folder).expect("a folder for manifests");
    let text = format!("schema = 1\nid = {id:?}\n{lines}");
    fs::write(folder.join(format!("{id}.toml")), text).expect("a manifest");
}

/// Whether root is who tests. Chromium refuses to run for root; Firefox makes
/// user namespaces, but the kernel (5.12) lets nobody write root's id into
/// their maps without a capability that nothing inside has.
pub fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if root {
        crate::skip(test, "browsers build no sandbox for root");
    }
    root
}

/// A process, as the kernel tells about it from outside.
#[derive(Debug)]
struct Process {
    words: String,
    filters: u32,
    user: PathBuf,
    network: PathBuf,
    root: PathBuf,
}

impl Process {
    fn of(pid: i32) -> Result<Process, String> {
        let link = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_link(&path).map_err(|error| format!("{path}: {error}"))
        };
        Ok(Process {
            words: words(pid),
            filters: field(pid, "Seccomp_filters:").unwrap_or_default(),
            user: link("ns/user")?,
            network: link("ns/net")?,
            root: link("root")?,
        })
    }
}

/// The words that a process was started with.
fn words(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

/// A number of a process's status.
fn field(pid: i32, name: &str) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

/// The processes of a sandbox whose words hold a text, and the application
/// itself.
fn processes(app: &App, holds: &str) -> Result<(Process, Vec<Process>), String> {
    let main = app.process()?;
    let init = field(main, "PPid:").ok_or("the application has ended")?;
    let parents: BTreeMap<i32, u32> = fs::read_dir("/proc")
        .map_err(|error| error.to_string())?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| Some((pid, field(pid, "PPid:")?)))
        .collect();
    let inside = |pid: &i32| {
        let mut above = parents.get(pid).copied();
        while let Some(parent) = above.filter(|parent| *parent > 1) {
            if parent == init {
                return true;
            }
            above = parents.get(&(parent as i32)).copied();
        }
        false
    };
    let found = parents.keys().filter(|pid| inside(pid) && words(**pid).contains(holds));
    // One that has ended meanwhile tells nothing.
    Ok((Process::of(main)?, found.filter_map(|pid| Process::of(*pid).ok()).collect()))
}

/// Checks that each process with these words is shut in further than the
/// application itself: a filter and namespaces more, and no file in reach.
fn are_shut_in_further(app: &App, holds: &str) -> Outcome {
    let (main, pages) = processes(app, holds)?;
    if pages.is_empty() {
        return Err(format!("no process has the words {holds:?}"));
    }
    for page in pages {
        let further = page.filters > main.filters
            && page.user != main.user
            && page.network != main.network
            && page.root != main.root;
        if !further || main.filters == 0 || page.words.contains("no-sandbox") {
            return Err(format!("not shut in further than {main:?}: {page:?}"));
        }
    }
    Ok(())
}

/// Waits until a window is mostly of the page's colour.
fn is_drawn(desk: &Desk, app: &mut App, class: &str) -> Outcome {
    let window = app.window(desk, &[class], "Green")?;
    let mut share = 0;
    let drawn = wait_for(Duration::from_secs(20), || {
        share = run::snapshot(desk, &window)?.share_of(COLOUR);
        (share > 700).then_some(())
    });
    drawn.ok_or_else(|| {
        format!("{share} thousandths of the window are the page's: {}", app.errors())
    })
}

fn chromium_keeps_its_own_sandbox(desk: &Desk) -> Outcome {
    if is_root("browsers::chromium_keeps_its_own_sandbox") {
        return Ok(());
    }
    let home = desk.home();
    let mut tools = DevTools::in_folder(&home.join("Downloads"))?;
    own_lines(
        &home,
        CHROMIUM,
        "command = [\"sh\", \"-c\", '''exec chromium \"$@\" --remote-debugging-pipe \
         3<\"$HOME/Downloads/to-browser\" 4>\"$HOME/Downloads/from-browser\"''', \"sh\"]",
    );
    let arguments = [&["-q", CHROMIUM], CHROMIUM_FLAGS.as_slice()].concat();
    let mut app = App::inside(desk, &home, &arguments);
    let session = tools.open("chrome://sandbox").map_err(|error| error + &app.errors())?;
    let told = tools.text(&session, "sandboxed")?;
    for line in [
        "Layer 1 Sandbox\tNamespace",
        "PID namespaces\tYes",
        "Network namespaces\tYes",
        "Seccomp-BPF sandbox\tYes",
        "You are adequately sandboxed.",
    ] {
        if !told.contains(line) {
            return Err(format!("chrome://sandbox does not say {line:?}, but: {told}"));
        }
    }
    tools.call("Page.navigate", json!({ "url": PAGE }), Some(&session))?;
    is_drawn(desk, &mut app, "Chromium")?;
    are_shut_in_further(&app, "--type=renderer")?;
    windows::grants(&app, &home, &["Downloads"])?;
    tools.call("Browser.close", json!({}), None)?;
    match app.exit_code()? {
        0 => run::all_closed(desk),
        code => Err(format!("exit code {code}: {}", app.errors())),
    }
}

/// The control: it was not the kernel or Chromium itself that let it.
fn chromium_does_not_start_without(desk: &Desk) -> Outcome {
    if is_root("browsers::chromium_does_not_start_without") {
        return Ok(());
    }
    let home = desk.home();
    own_lines(&home, CHROMIUM, "[syscalls]\nnested = \"none\"");
    let arguments = [&["-q", CHROMIUM], CHROMIUM_FLAGS.as_slice(), &[PAGE]].concat();
    let mut app = App::inside(desk, &home, &arguments);
    let code = app.exit_code()?;
    match app.errors() {
        said if code != 0 && said.contains("No usable sandbox!") => Ok(()),
        said => Err(format!("exit code {code}: {said}")),
    }
}

/// Makes a profile of Firefox that asks nothing of the network. Gives its
/// folder inside, and the same outside.
pub fn firefox_profile(home: &Path) -> Result<(String, PathBuf), String> {
    let own = home.join(".local/share/pinfold/apps").join(FIREFOX).join("profile");
    fs::create_dir_all(&own).map_err(|error| error.to_string())?;
    let settings = [
        ("marionette.port", "0"),
        ("network.proxy.type", "1"),
        ("network.proxy.socks", "\"127.0.0.1\""),
        ("network.proxy.socks_port", "9"),
        ("network.proxy.socks_remote_dns", "true"),
        ("browser.aboutwelcome.enabled", "false"),
    ];
    let settings: String =
        settings.iter().map(|(name, value)| format!("user_pref({name:?}, {value});\n")).collect();
    fs::write(own.join("user.js"), settings).map_err(|error| error.to_string())?;
    Ok((home.join("profile").display().to_string(), own))
}

/// Starts Firefox with such a profile.
fn firefox(desk: &Desk, home: &Path) -> Result<(App, Marionette), String> {
    let (profile, own) = firefox_profile(home)?;
    let arguments =
        ["-q", FIREFOX, "--marionette", "--remote-allow-system-access", "--profile", &profile];
    let app = App::inside(desk, home, &arguments);
    match Marionette::of_profile(&own) {
        Ok(marionette) => Ok((app, marionette)),
        Err(error) => Err(format!("{error}: {}", app.errors())),
    }
}

/// What Firefox says of its own sandbox, as on the page about:support.
fn own_sandbox(marionette: &mut Marionette) -> Result<Value, String> {
    const SCRIPT: &str = "const done = arguments[arguments.length - 1];\
        const { Troubleshoot } =\
            ChromeUtils.importESModule('resource://gre/modules/Troubleshoot.sys.mjs');\
        Troubleshoot.snapshot().then(told => done(told.sandbox), wrong => done(String(wrong)));";
    marionette.call("Marionette:SetContext", json!({ "value": "chrome" }))?;
    let parameters = json!({ "script": SCRIPT, "args": [] });
    let told = marionette.call("WebDriver:ExecuteAsyncScript", parameters)?;
    marionette.call("Marionette:SetContext", json!({ "value": "content" }))?;
    Ok(told["value"].clone())
}

/// Ends Firefox as it ends itself.
fn quit(desk: &Desk, mut app: App, mut marionette: Marionette) -> Outcome {
    marionette.call("Marionette:Quit", json!({ "flags": ["eForceQuit"] }))?;
    match app.exit_code()? {
        0 => run::all_closed(desk),
        code => Err(format!("exit code {code}: {}", app.errors())),
    }
}

fn firefox_keeps_its_own_sandbox(desk: &Desk) -> Outcome {
    if is_root("browsers::firefox_keeps_its_own_sandbox") {
        return Ok(());
    }
    let home = desk.home();
    let (mut app, mut marionette) = firefox(desk, &home)?;
    let told = own_sandbox(&mut marionette)?;
    let level = told["effectiveContentSandboxLevel"].as_u64().unwrap_or_default();
    let whole = ["hasSeccompBPF", "hasSeccompTSync", "hasUserNamespaces", "canSandboxContent"]
        .iter()
        .all(|word| told[word] == true);
    if !whole || level < 4 {
        return Err(format!("Firefox's own sandbox is not whole: {told}"));
    }
    marionette.call("WebDriver:Navigate", json!({ "url": PAGE }))?;
    is_drawn(desk, &mut app, "firefox-esr")?;
    are_shut_in_further(&app, "-isForBrowser")?;
    windows::grants(&app, &home, &["Downloads"])?;
    quit(desk, app, marionette)
}

/// The control: without the line in the manifest there are no namespaces, and
/// Firefox knows.
fn firefox_says_what_it_lacks_without(desk: &Desk) -> Outcome {
    if is_root("browsers::firefox_says_what_it_lacks_without") {
        return Ok(());
    }
    let home = desk.home();
    own_lines(&home, FIREFOX, "[syscalls]\nnested = \"none\"");
    let (app, mut marionette) = firefox(desk, &home)?;
    let told = own_sandbox(&mut marionette)?;
    if told["hasUserNamespaces"] != false || told["hasSeccompBPF"] != true {
        return Err(format!("Firefox says otherwise: {told}"));
    }
    match are_shut_in_further(&app, "-isForBrowser") {
        Err(said) if said.starts_with("not shut in") => quit(desk, app, marionette),
        other => Err(format!("its pages are shut in all the same: {other:?}")),
    }
}
