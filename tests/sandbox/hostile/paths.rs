//! Paths that an application names: what it reads and writes where nothing of
//! that kind is granted.

use std::os::unix::fs::MetadataExt;

use super::site::Scene;
use super::{Case, Control, acts, elsewhere};
use crate::world::{FIXED, UNSEEN};

const WRITE: &[&str] = &["EROFS", "EACCES", "EPERM", "ENOENT", "EXDEV", "EBUSY"];

/// Why a file tree alone makes a hole in a grant.
const HOLE: &str = "landlock only adds: what is granted with a folder cannot be taken back for a \
                    part of it";
const PROC: &str = "landlock lets /proc be written, as programs write what is theirs there";

pub fn cases() -> Vec<Case> {
    [written(), reached()].into_iter().flatten().collect()
}

/// Writing where nothing is granted to be written.
fn written() -> Vec<Case> {
    let home = |case: Case| case.scene(Scene::Home);
    let folders = |case: Case| case.scene(Scene::Folders);
    vec![
        acts(
            "A15",
            "opens what covers a denied folder",
            "chmod 777 @/music/private read @/music/private/a",
            WRITE,
        )
        .scene(Scene::Folders)
        .single(HOLE),
        home(acts(
            "A25-manifest",
            "writes a manifest for its next start",
            "mkdir ~/.config/pinfold write ~/.config/pinfold/x.toml x",
            WRITE,
        ))
        .happened(|site| site.world.exists("~/.config/pinfold")),
        home(acts(
            "A25-ledger",
            "forgets where it could write",
            "mkdir ~/.local/state mkdir ~/.local/state/pinfold write \
             ~/.local/state/pinfold/mine x",
            WRITE,
        ))
        .happened(|site| site.world.exists("~/.local/state/pinfold/mine")),
        home(acts(
            "A28-path",
            "leaves a program on the search path",
            "mkdir ~/bin write ~/bin/ls x",
            WRITE,
        ))
        .happened(|site| site.world.exists("~/bin")),
        home(acts(
            "A28-local",
            "the same in the newer place",
            "mkdir ~/.local/bin write ~/.local/bin/ls x",
            WRITE,
        ))
        .happened(|site| site.world.exists("~/.local/bin")),
        home(acts(
            "A28-shell",
            "changes what the shell reads at login",
            "write ~/.profile x",
            WRITE,
        ))
        .happened(|site| site.world.content("~/.profile") != "mine"),
        home(acts(
            "A28-missing",
            "the same where there is no such file yet",
            "write ~/.bashrc x",
            WRITE,
        ))
        .happened(|site| site.world.exists("~/.bashrc")),
        home(acts(
            "A28-autostart",
            "has the desktop start it",
            "mkdir ~/.config/autostart write \
             ~/.config/autostart/x.desktop x",
            WRITE,
        ))
        .happened(|site| site.world.exists("~/.config/autostart")),
        home(acts(
            "A28-menu",
            "takes another's place in the menu",
            "mkdir ~/.local/share/applications write \
             ~/.local/share/applications/x.desktop x",
            WRITE,
        ))
        .happened(|site| site.world.exists("~/.local/share/applications")),
        home(acts(
            "A28-unit",
            "leaves a unit for the service manager",
            "mkdir ~/.config/systemd write ~/.config/systemd/x x",
            WRITE,
        ))
        .happened(|site| site.world.exists("~/.config/systemd")),
        folders(acts(
            "E9-read-only",
            "writes a folder that is granted to read",
            "append @/papers/a x",
            WRITE,
        )),
        folders(acts("E9-mode", "changes a mode there", "chmod 777 @/papers/a", WRITE))
            .single("landlock has no word for modes, owners and times"),
        folders(acts("E9-exec", "executes a file there", "exec @/papers/program", WRITE)),
        folders(acts(
            "E9-hole",
            "writes into a denied folder",
            "write @/music/private/new x",
            WRITE,
        ))
        .single(HOLE),
        folders(acts(
            "E9-move",
            "moves the denied folder out of the hole",
            "rename @/music/private @/music/public read @/music/public/a \
             rename @/music/public @/music/private",
            WRITE,
        ))
        .single(HOLE),
        folders(acts(
            "E9-link",
            "takes a second name for what it may write",
            "link @/music/a /tmp/{victim} unlink /tmp/{victim}",
            WRITE,
        )),
        acts(
            "E10-system",
            "changes the system",
            "create /usr/bin/pinfold-hostile unlink \
             /usr/bin/pinfold-hostile",
            WRITE,
        )
        .root_only(),
        acts(
            "E10-core",
            "names the program that the kernel starts at a crash",
            "open-write /proc/sys/kernel/core_pattern",
            FIXED,
        )
        .root_only()
        .single(PROC),
        elsewhere(
            "E10-sysrq",
            "stops the machine by its keys",
            &["sandbox root::the_machine_cannot_be_changed"],
        ),
        folders(acts(
            "E10-rights",
            "leaves a program that runs as root, whoever starts it",
            "chmod 4755 @/music/a",
            &["EPERM"],
        ))
        .happened(|site| {
            let mode = std::fs::metadata(site.world.path("@/music/a")).unwrap().mode();
            mode & 0o4000 != 0
        })
        .root_only()
        .single(
            "the folder is granted to write, and with it the modes of \
             what is in it; the filter takes these out",
        ),
        acts(
            "E10-hotplug",
            "names the program that the kernel starts for a device",
            "open-write /sys/kernel/uevent_seqnum open-write \
             /sys/kernel/mm/transparent_hugepage/enabled",
            FIXED,
        )
        .root_only(),
    ]
}

/// Reading what is not granted.
fn reached() -> Vec<Case> {
    vec![
        acts(
            "A30",
            "goes up from the folder that the caller was in",
            "read-by-dots @/vault/a",
            UNSEEN,
        ),
        elsewhere(
            "A30-folder",
            "starts in a folder that is not granted",
            &[
                "sandbox environment::no_way_up_from_the_working_folder",
                "sandbox environment::the_working_folder_else_is_the_home",
            ],
        ),
        elsewhere(
            "A32-flags",
            "finds a mount that lets it become another user",
            &["sandbox inside::mounts_are_without_suid_and_devices"],
        ),
        acts(
            "A32-suid",
            "executes a program that is another's by its mode",
            "exec-as-other @/tools/other",
            &["EPERM"],
        )
        .root_only(),
        acts(
            "A32-device",
            "opens a device file in a granted folder",
            "open-read @/music/device",
            &["EACCES", "EPERM"],
        )
        .scene(Scene::Folders)
        .root_only()
        .single(
            "landlock tells devices from files only for controls; a mount without devices has none",
        ),
        acts(
            "A32-make",
            "makes a device file",
            "mknod /tmp/{victim} unlink /tmp/{victim}",
            &["EPERM", "ENOENT"],
        )
        .control(Control::Root),
        acts("E11-file", "reads a file of the home", "read ~/secret", UNSEEN),
        acts("E11-folder", "lists the home", "read ~/.ssh/id", UNSEEN),
        acts("E11-elsewhere", "reads a file beside the home", "read @/vault/a", UNSEEN),
        acts("E11-runtime", "lists the runtime folder", "list %/", UNSEEN),
        acts("E11-hole", "reads a denied folder", "read @/music/private/a", UNSEEN)
            .scene(Scene::Folders)
            .single(HOLE),
        acts("E11-secret", "reads a secret in a home that is granted", "read ~/.ssh/id", UNSEEN)
            .scene(Scene::Home),
        acts("E11-shadow", "reads the machine's passwords", "read /etc/shadow", UNSEEN).root_only(),
    ]
}
