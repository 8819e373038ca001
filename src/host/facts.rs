//! Fills [`HostFacts`]: once for each run, before anything is decided. It is
//! on the way of every launch, so each file is opened at most once.

use std::collections::BTreeMap;

use crate::model::facts::{HostFacts, KernelFacts};
use crate::model::path::AbsPath;
use crate::report::{Code, Diagnostic};

use super::account::{account, folder, group, is_name};
use super::fs::{HostFs, NodeKind};
use super::session::{Session, free_display};
use super::user_dirs::user_dirs;

/// Who asks, and from where: what the kernel and the caller's environment say
/// without any file being read.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The environment, in so far as it is UTF-8.
    pub environment: BTreeMap<String, String>,
    /// The working directory, if it is a clean path.
    pub cwd: Option<AbsPath>,
    /// A display number from 10 up whose abstract socket nobody has; only
    /// looked at where `$DISPLAY` is set.
    pub free_display: u32,
    /// What the kernel can do.
    pub kernel: KernelFacts,
}

impl Caller {
    /// Reads this process. `secure_execution` is what the kernel said in
    /// `AT_SECURE` when it was started, `kernel` what was probed.
    ///
    /// # Errors
    /// With [`Code::HostEnvironment`] when the process has more rights than
    /// who started it: then nothing that it was handed can be believed.
    pub fn from_process(secure_execution: bool, kernel: KernelFacts) -> Result<Caller, Diagnostic> {
        use rustix::process::{getegid, geteuid, getgid, getuid};
        let (uid, gid) = (getuid(), getgid());
        if secure_execution || uid != geteuid() || gid != getegid() {
            return Err(raised_rights());
        }
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect::<BTreeMap<_, _>>();
        let free_display = if environment.contains_key("DISPLAY") { free_display() } else { 1 };
        let cwd = std::env::current_dir().ok().and_then(|cwd| AbsPath::new(cwd.to_str()?).ok());
        Ok(Caller { uid: uid.as_raw(), gid: gid.as_raw(), environment, cwd, free_display, kernel })
    }
}

fn raised_rights() -> Diagnostic {
    Diagnostic::error(
        Code::HostEnvironment,
        "pinfold was started with more rights than the account that started it",
    )
    .because("its file is set-user-id or set-group-id, or has file capabilities")
    .hint("pinfold needs no privilege: take the mode bits and capabilities off its file (chmod a-s, setcap -r)")
}

/// Reads the host.
///
/// # Errors
/// With [`Code::HostEnvironment`] when no home folder can be told.
pub fn read(fs: &HostFs, caller: Caller) -> Result<HostFacts, Vec<Diagnostic>> {
    let Caller { uid, gid, environment, cwd, free_display, kernel } = caller;
    let variable = |name: &str| environment.get(name).map(String::as_str);
    let account = account(fs, uid);

    let Some(home) = variable("HOME").and_then(folder).or_else(|| account.home.clone()) else {
        return Err(vec![no_home(uid, variable("HOME"))]);
    };
    let account_home = account.home.filter(|account_home| *account_home != home);
    let user = account
        .name
        .or_else(|| variable("USER").filter(|name| is_name(name)).map(str::to_owned))
        .unwrap_or_else(|| "user".to_owned());
    let group = group(fs, gid).unwrap_or_else(|| user.clone());
    let shell = match account.shell {
        Some(shell) => shell,
        // What an empty field means.
        None => AbsPath::root().child("bin").child("sh"),
    };

    let below_home = |name: &str, default: &[&str]| {
        variable(name).and_then(folder).unwrap_or_else(|| {
            default.iter().fold(home.clone(), |path, element| path.child(element))
        })
    };
    let config_home = below_home("XDG_CONFIG_HOME", &[".config"]);
    let data_home = below_home("XDG_DATA_HOME", &[".local", "share"]);
    let state_home = below_home("XDG_STATE_HOME", &[".local", "state"]);
    let cache_home = below_home("XDG_CACHE_HOME", &[".cache"]);
    let runtime_dir =
        variable("XDG_RUNTIME_DIR").and_then(folder).filter(|path| is_private(fs, path, uid));
    let user_dirs = user_dirs(fs, &config_home, &home);

    let session = Session {
        fs,
        environment: &environment,
        runtime_dir: runtime_dir.as_ref(),
        home: &home,
        free_display,
    };
    let (wayland, x11) = (session.wayland(), session.x11());
    let (pulse, pipewire) = (session.pulse(), session.pipewire());
    let shm = AbsPath::root().child("dev").child("shm");
    let shm_bytes = fs.memory_size(&shm).ok().flatten().unwrap_or(0);

    Ok(HostFacts {
        uid,
        gid,
        user,
        group,
        shell,
        home,
        account_home,
        config_home,
        data_home,
        state_home,
        cache_home,
        runtime_dir,
        user_dirs,
        environment,
        cwd,
        wayland,
        x11,
        pulse,
        pipewire,
        shm_bytes,
        kernel,
    })
}

/// Whether a folder is the caller's own and shut to everybody else.
fn is_private(fs: &HostFs, path: &AbsPath, uid: u32) -> bool {
    fs.look_following(path).is_ok_and(|node| {
        node.kind == NodeKind::Folder && node.uid == uid && node.mode & 0o077 == 0
    })
}

fn no_home(uid: u32, stated: Option<&str>) -> Diagnostic {
    let cause = match stated {
        Some(text) => {
            format!("HOME is {text:?}, which is no clean absolute path of a folder below /")
        }
        None => "HOME is not set".to_owned(),
    };
    Diagnostic::error(Code::HostEnvironment, "it cannot be told where your home folder is")
        .because(cause)
        .because(format!("/etc/passwd has no usable home for the user id {uid}"))
        .hint("set HOME to the full path of your home folder")
}

/// What the caller's environment states and [`read`] did not follow, as
/// warnings for whoever wonders why.
pub fn remarks(facts: &HostFacts) -> Vec<Diagnostic> {
    let ignored = |name: &str, used: bool, why: &str| {
        let text = facts.environment.get(name).filter(|text| !text.is_empty() && !used)?;
        Some(Diagnostic::warning(format!("{name} is ignored: {text:?} {why}")))
    };
    let folder_used = |name: &str, used: &AbsPath| {
        facts.environment.get(name).and_then(|text| folder(text)).is_some_and(|path| path == *used)
    };
    const FOLDER: &str = "is no clean absolute path of a folder below /";
    const SOCKET: &str = "leads to no socket on this machine";
    let mut remarks: Vec<Diagnostic> = [
        ("HOME", &facts.home),
        ("XDG_CONFIG_HOME", &facts.config_home),
        ("XDG_DATA_HOME", &facts.data_home),
        ("XDG_STATE_HOME", &facts.state_home),
        ("XDG_CACHE_HOME", &facts.cache_home),
    ]
    .into_iter()
    .filter_map(|(name, used)| ignored(name, folder_used(name, used), FOLDER))
    .collect();
    remarks.extend(
        [
            ignored(
                "XDG_RUNTIME_DIR",
                facts.runtime_dir.is_some(),
                "is not a folder of yours that is shut to others (mode 0700)",
            ),
            ignored("WAYLAND_SOCKET", facts.wayland.is_some(), "is no descriptor above 2"),
            ignored("WAYLAND_DISPLAY", facts.wayland.is_some(), SOCKET),
            ignored("DISPLAY", facts.x11.is_some(), SOCKET),
            ignored(
                "XAUTHORITY",
                facts.x11.as_ref().is_none_or(|x11| x11.authority.is_some()),
                "is the path of no file on this machine",
            ),
            ignored("PULSE_SERVER", facts.pulse.is_some(), SOCKET),
            ignored("PIPEWIRE_REMOTE", facts.pipewire.is_some(), SOCKET),
        ]
        .into_iter()
        .flatten(),
    );
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::WaylandSocket;
    use crate::model::path::UserDir;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    struct Host {
        dir: tempfile::TempDir,
        fs: HostFs,
    }

    impl Host {
        fn new() -> Host {
            let dir = tempfile::tempdir().unwrap();
            let fs = HostFs::at(dir.path()).unwrap();
            Host { dir, fs }
        }

        /// A plain Debian with one account, ada, who has this process's id.
        fn debian() -> Host {
            let host = Host::new();
            let (uid, gid) = ids();
            host.write("etc/passwd", &format!("daemon:x:77001:77001::/:/bin/false\nada:x:{uid}:{gid}:Ada,,,:/home/ada:/bin/bash\n"));
            host.write("etc/group", &format!("daemon:x:77001:\nstaff:x:{gid}:\n"));
            std::fs::create_dir_all(host.at("home/ada")).unwrap();
            host
        }

        fn at(&self, path: &str) -> PathBuf {
            self.dir.path().join(path)
        }

        fn write(&self, path: &str, text: &str) {
            std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
            std::fs::write(self.at(path), text).unwrap();
        }

        fn runtime_dir(&self, mode: u32) {
            std::fs::create_dir_all(self.at("run/user/me")).unwrap();
            std::fs::set_permissions(self.at("run/user/me"), PermissionsExt::from_mode(mode))
                .unwrap();
        }

        fn read(&self, variables: &[(&str, &str)]) -> Result<HostFacts, Vec<Diagnostic>> {
            read(&self.fs, caller(variables))
        }
    }

    fn ids() -> (u32, u32) {
        (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
    }

    fn caller(variables: &[(&str, &str)]) -> Caller {
        let (uid, gid) = ids();
        let environment =
            variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Caller { uid, gid, environment, cwd: None, free_display: 1, kernel: KernelFacts::default() }
    }

    #[test]
    fn a_plain_debian() {
        let host = Host::debian();
        host.runtime_dir(0o700);
        let _compositor = UnixListener::bind(host.at("run/user/me/wayland-1")).unwrap();
        host.write("home/ada/.config/user-dirs.dirs", "XDG_DOWNLOAD_DIR=\"$HOME/Geladen\"\n");
        let facts = host
            .read(&[
                ("HOME", "/home/ada"),
                ("XDG_RUNTIME_DIR", "/run/user/me"),
                ("WAYLAND_DISPLAY", "wayland-1"),
                ("XDG_CACHE_HOME", "/var/cache/ada/"),
            ])
            .unwrap();
        assert_eq!((facts.user.as_str(), facts.group.as_str()), ("ada", "staff"));
        assert_eq!((facts.home.as_str(), &facts.account_home), ("/home/ada", &None));
        assert_eq!(facts.shell.as_str(), "/bin/bash");
        assert_eq!(facts.config_home.as_str(), "/home/ada/.config");
        assert_eq!(facts.data_home.as_str(), "/home/ada/.local/share");
        assert_eq!(facts.state_home.as_str(), "/home/ada/.local/state");
        assert_eq!(facts.cache_home.as_str(), "/var/cache/ada");
        assert_eq!(facts.user_dirs[&UserDir::Download].as_str(), "/home/ada/Geladen");
        let socket = AbsPath::new("/run/user/me/wayland-1").unwrap();
        assert_eq!(facts.wayland, Some(WaylandSocket::Path(socket)));
        assert_eq!((&facts.x11, &facts.pulse, &facts.pipewire), (&None, &None, &None));
        assert_eq!((facts.uid, facts.gid), ids());
        assert_eq!(facts.environment["WAYLAND_DISPLAY"], "wayland-1");
        assert_eq!(remarks(&facts), []);
    }

    #[test]
    fn a_home_behind_a_link_keeps_its_name() {
        let host = Host::new();
        std::fs::create_dir_all(host.at("var/home/ada/.config")).unwrap();
        symlink("var/home", host.at("home")).unwrap();
        host.write("var/home/ada/.config/user-dirs.dirs", "XDG_MUSIC_DIR=\"$HOME/Musik\"\n");
        let facts = host.read(&[("HOME", "/home/ada")]).unwrap();
        assert_eq!(facts.home.as_str(), "/home/ada");
        assert_eq!(facts.user_dirs[&UserDir::Music].as_str(), "/home/ada/Musik");
    }

    #[test]
    fn an_account_that_no_file_has() {
        let host = Host::new();
        let facts = host.read(&[("HOME", "/home/eve"), ("USER", "eve@example.org")]).unwrap();
        assert_eq!(
            (facts.user.as_str(), facts.group.as_str()),
            ("eve@example.org", "eve@example.org")
        );
        assert_eq!((facts.shell.as_str(), facts.account_home), ("/bin/sh", None));
        let facts = host.read(&[("HOME", "/home/eve"), ("USER", "x:0:0\nroot")]).unwrap();
        assert_eq!(facts.user, "user");
    }

    #[test]
    fn a_home_that_cannot_be_is_replaced_by_the_accounts() {
        let host = Host::debian();
        for hostile in ["", "ada", "/", "/home/ada/..", "/home//ada", "/home/a\nb", "/home/./ada"] {
            let facts = host.read(&[("HOME", hostile)]).unwrap();
            assert_eq!(
                (facts.home.as_str(), facts.account_home.as_ref()),
                ("/home/ada", None),
                "{hostile:?}"
            );
            assert_eq!(remarks(&facts).len(), usize::from(!hostile.is_empty()), "{hostile:?}");
        }
        let facts = host.read(&[("HOME", "/srv/other")]).unwrap();
        assert_eq!(facts.home.as_str(), "/srv/other");
        assert_eq!(facts.account_home, AbsPath::new("/home/ada").ok());
    }

    #[test]
    fn without_any_home_there_is_nothing_to_do() {
        let host = Host::new();
        for hostile in [&[][..], &[("HOME", "/")], &[("HOME", "home")]] {
            let problems = host.read(hostile).unwrap_err();
            assert_eq!(problems.len(), 1);
            assert_eq!(problems[0].code, Some(Code::HostEnvironment));
        }
    }

    #[test]
    fn hostile_xdg_folders_give_way_to_the_defaults() {
        let host = Host::debian();
        for hostile in ["", "relative", "/", "/a/../b", "/a\nb", "//a", "~/.config"] {
            let facts =
                host.read(&[("XDG_CONFIG_HOME", hostile), ("XDG_DATA_HOME", hostile)]).unwrap();
            assert_eq!(facts.config_home.as_str(), "/home/ada/.config", "{hostile:?}");
            assert_eq!(facts.data_home.as_str(), "/home/ada/.local/share", "{hostile:?}");
            assert_eq!(
                remarks(&facts).len(),
                if hostile.is_empty() { 0 } else { 2 },
                "{hostile:?}"
            );
        }
    }

    #[test]
    fn a_runtime_folder_that_others_can_enter_is_none() {
        let host = Host::debian();
        let ask = |mode| {
            host.runtime_dir(mode);
            host.read(&[("XDG_RUNTIME_DIR", "/run/user/me")]).unwrap()
        };
        assert_eq!(ask(0o700).runtime_dir, AbsPath::new("/run/user/me").ok());
        for mode in [0o710, 0o701, 0o755, 0o770] {
            let facts = ask(mode);
            assert_eq!(facts.runtime_dir, None, "{mode:o}");
            assert_eq!(remarks(&facts).len(), 1, "{mode:o}");
        }
        host.runtime_dir(0o700);
        let other = Caller {
            uid: ids().0 + 1,
            ..caller(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/me")])
        };
        assert_eq!(read(&host.fs, other).unwrap().runtime_dir, None);
        host.write("run/user/file", "");
        let file = host.read(&[("XDG_RUNTIME_DIR", "/run/user/file")]).unwrap();
        assert_eq!(file.runtime_dir, None);
    }

    #[test]
    fn what_leads_nowhere_is_remarked_on() {
        let facts = Host::debian()
            .read(&[
                ("DISPLAY", ":3"),
                ("WAYLAND_DISPLAY", "w"),
                ("PULSE_SERVER", "tcp:h"),
                ("PIPEWIRE_REMOTE", "p"),
            ])
            .unwrap();
        let told: Vec<String> = remarks(&facts).into_iter().map(|remark| remark.message).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[1].starts_with("DISPLAY is ignored: \":3\""), "{told:?}");
        let facts = Host::debian().read(&[("DISPLAY", "far:3"), ("XAUTHORITY", "/none")]).unwrap();
        assert_eq!(remarks(&facts).len(), 1, "{:?}", remarks(&facts));
    }

    #[test]
    fn raised_rights_are_refused() {
        let refused = Caller::from_process(true, KernelFacts::default()).unwrap_err();
        assert_eq!(refused.code, Some(Code::HostEnvironment));
        let here =
            Caller::from_process(false, KernelFacts { landlock_abi: 4, ..KernelFacts::default() })
                .unwrap();
        assert_eq!((here.uid, here.gid), ids());
        assert_eq!(here.kernel.landlock_abi, 4);
        assert_eq!(
            here.cwd.map(String::from),
            std::env::current_dir().unwrap().to_str().map(str::to_owned)
        );
        assert_eq!(here.environment.get("PATH"), std::env::var("PATH").ok().as_ref());
    }
}
