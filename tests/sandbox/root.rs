//! What matters when root runs a sandbox, and only then.

use crate::world::{FIXED, World, finish, is_root, pinfold, set_mode, until};

/// The tests, or a word about each that is not done here.
pub fn tests() -> Vec<libtest_mimic::Trial> {
    let tests: [(&str, fn()); 6] = [
        ("a_warning_is_printed", a_warning_is_printed),
        ("the_machine_cannot_be_changed", the_machine_cannot_be_changed),
        ("an_application_in_opt", an_application_in_opt),
        ("files_of_root_alone", files_of_root_alone),
        ("a_set_user_id_launcher_refuses", a_set_user_id_launcher_refuses),
        ("init_keeps_nothing_of_the_callers_open", init_keeps_nothing_of_the_callers_open),
    ];
    tests
        .into_iter()
        .map(|(name, test)| {
            let name = format!("root::{name}");
            if !is_root() {
                crate::skip(&name, "needs root, and is done when the tier runs as root");
            }
            libtest_mimic::Trial::test(name, move || {
                test();
                Ok(())
            })
            .with_ignored_flag(!is_root())
        })
        .collect()
}

fn a_warning_is_printed() {
    let world = World::new();
    let run = world.app("ids").run();
    run.all_work().says("warning: running as root");
    assert_eq!(run.value(0)["uid"], 0);
}

fn the_machine_cannot_be_changed() {
    let world = World::new();
    let acts = "open-write /proc/sysrq-trigger open-write /proc/sys/kernel/core_pattern \
                open-write /proc/sys/kernel/modprobe open-write /proc/sys/vm/drop_caches \
                open-write /proc/sys/user/max_user_namespaces open-write /proc/irq/default_smp_affinity";
    let outside = world.outside(acts);
    let works = outside.results().iter().filter(|result| result["ok"] == true).count();
    assert!(works > 0, "{}", outside.told());
    world.app(acts).run().all_refused(FIXED);
    let sys = "open-write /sys/kernel/mm/transparent_hugepage/enabled \
               open-write /sys/devices/system/cpu/cpu0/online create /sys/new \
               open-write /sys/power/state open-write /sys/kernel/uevent_helper \
               open-write /sys/devices/system/cpu/cpu1/online";
    let outside = world.outside(sys);
    assert!(outside.results().iter().any(|result| result["ok"] == true), "{}", outside.told());
    world.app(sys).run().all_refused(FIXED);
    let memory = "open-read /dev/mem open-read /dev/kmsg open-read /proc/kcore open-read /dev/vda";
    world.app(memory).run().never_shows("true");
}

/// A folder in /opt that goes with the value.
struct Package(std::path::PathBuf);

impl Drop for Package {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn an_application_in_opt() {
    let world = World::new();
    let mark = world.root().file_name().unwrap().to_string_lossy().into_owned();
    let package = Package(std::path::Path::new("/opt").join(&mark));
    let neighbour = Package(std::path::Path::new("/opt").join(format!("{mark}-neighbour")));
    for Package(folder) in [&package, &neighbour] {
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        std::fs::write(folder.join("data"), "data").unwrap();
        world.copy(world.path("@/probe"), folder.join("bin/tool").to_str().unwrap());
    }
    let (here, there) = (package.0.display(), neighbour.0.display());
    let words = format!(
        "{here}/bin/tool read {here}/data exec {here}/bin/tool open-write {here}/data read {there}/data"
    );
    let words: Vec<&str> = words.split(' ').collect();
    let run = world.program(&words).flags("-v").run();
    assert_eq!(run.value(0), "data");
    run.value(1);
    run.refused(2, &["EROFS", "EACCES"]).refused(3, &["ENOENT", "EACCES"]);
    run.says("is shown to read and execute");
}

fn a_set_user_id_launcher_refuses() {
    let world = World::new();
    let folder = tempfile::Builder::new().prefix("pinfold-").tempdir_in("/var/tmp").unwrap();
    set_mode(folder.path(), 0o755);
    let program = world.copy(pinfold(), folder.path().join("pinfold").to_str().unwrap());
    let nobody = |mode: u32| {
        set_mode(&program, mode);
        let mut command = world.command(std::path::Path::new("/usr/bin/setpriv"));
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(&program).arg("doctor").current_dir("/");
        finish(command, None)
    };
    let plain = nobody(0o755);
    assert!(!plain.errors.contains("more rights"), "{}", plain.told());
    nobody(0o4755).ended_with(69).says("more rights than the account that started it");
}

fn files_of_root_alone() {
    let world = World::new();
    let acts = "read /etc/shadow list /root read /etc/gshadow list /var/lib";
    assert_eq!(world.outside("read /etc/shadow").results()[0]["ok"], true);
    world.app(acts).run().all_refused(&["ENOENT", "EACCES"]);
}

fn init_keeps_nothing_of_the_callers_open() {
    let world = World::new();
    let probe = world.path("@/probe");
    let junk = [probe.to_str().unwrap(), "junk-fds", "200", "/etc", "become"];
    // Only root may count init's descriptors; where they lead nobody may see.
    // The application can be there before init has closed them.
    until("init has its socket and its signals open, and nothing else", || {
        let run = world.app("list /proc/1/fd").before(&junk).run();
        run.value(0).as_array().unwrap().len() == 2
    });
    let run = world.app("readlink /proc/1/fd/3").before(&junk).run();
    run.all_refused(&["EACCES", "ENOENT"]);
}
