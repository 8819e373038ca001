//! Programs that people have which build sandboxes, trace others or are of
//! 32 bits: each works where a manifest lets it, and not where none does.

use std::path::Path;
use std::process::Command;

use crate::tests;
use crate::world::{Run, World, is_root};

tests![
    bubblewrap_in_a_container,
    gdb,
    strace,
    programs_of_32_bits,
    sockets_of_32_bit_programs,
    sockets_of_every_family_are_no_narrow_grant,
];

/// Whether a program is there; a skip is said where it is not.
fn there(test: &str, path: &str) -> bool {
    let there = Path::new(path).exists();
    if !there {
        crate::skip(&format!("real::{test}"), &format!("{path} is not installed"));
    }
    there
}

/// Runs a tool that the tests are built with.
#[track_caller]
fn make(world: &World, tool: &str, words: &str) {
    let mut command = Command::new(tool);
    command.args(words.split_whitespace().map(|word| world.text(word)));
    let output = command.output().unwrap_or_else(|error| panic!("{tool}: {error}"));
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a program inside, with lines of the table `[syscalls]`.
fn inside(world: &World, command: &[&str], syscalls: &str) -> Run {
    let folder = world.path("@/made").display().to_string();
    let manifest =
        format!("filesystem.read = [{{ path = {folder:?}, exec = true }}]\n[syscalls]\n{syscalls}");
    world.program(command).manifest(&manifest).run()
}

/// The same program outside.
fn outside(world: &World, command: &[&str]) -> Run {
    let mut process = world.command(Path::new(command[0]));
    process.args(&command[1..]);
    crate::world::finish(process, None)
}

fn bubblewrap_in_a_container() {
    if !there("bubblewrap_in_a_container", "/usr/bin/bwrap") {
        return;
    }
    let world = World::new();
    let command = [
        "/usr/bin/bwrap",
        "--unshare-all",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        // Its number in the inner namespace, which has few.
        "readlink",
        "/proc/self",
    ];
    let number = |run: &Run| run.output.trim().parse::<u32>();
    let control = outside(&world, &command);
    control.ended_with(0);
    assert!(number(&control).is_ok_and(|pid| pid < 4), "{}", control.told());
    for level in ["none", "browser"] {
        let run = inside(&world, &command, &format!("nested = {level:?}"));
        run.ended_with(1).says("bwrap: No permissions to create");
    }
    let run = inside(&world, &command, "nested = \"container\"");
    if is_root() {
        run.ended_with(65).says("is refused for root");
        return;
    }
    run.ended_with(0);
    assert!(number(&run).is_ok_and(|pid| pid < 4), "{}", run.told());
}

/// A program whose `inner` is called by `main` with 41.
fn debugged(world: &World) -> String {
    let text = "static int inner(int number) { return number + 1; }\n\
                int main(void) { return inner(41) - 42; }\n";
    world.file("@/made/debugged.c", text);
    make(world, "/usr/bin/gcc", "-g -O0 -o @/made/debugged @/made/debugged.c");
    world.path("@/made/debugged").display().to_string()
}

fn gdb() {
    if !there("gdb", "/usr/bin/gdb") {
        return;
    }
    let world = World::new();
    let program = debugged(&world);
    let mut command = vec!["/usr/bin/gdb", "-nx", "-batch"];
    for order in ["break inner", "run", "bt", "print number", "continue"] {
        command.extend(["-ex", order]);
    }
    command.push(&program);
    let debugs = |run: &Run| {
        ["#0  inner (number=41)", "in main ()", "$1 = 41", "exited normally"]
            .iter()
            .all(|text| run.output.contains(text))
    };
    let control = outside(&world, &command);
    assert!(debugs(&control), "{}", control.told());
    let run = inside(&world, &command, "");
    run.says("ptrace: Operation not permitted");
    assert!(!debugs(&run), "{}", run.told());
    let run = inside(&world, &command, "allow = [\"devel\"]");
    assert!(debugs(&run), "{}", run.told());
    // Address randomisation is off for what it debugs, as without a sandbox.
    assert!(!run.errors.contains("randomization"), "{}", run.told());
    run.ended_with(0);
}

fn strace() {
    if !there("strace", "/usr/bin/strace") {
        return;
    }
    let world = World::new();
    // A child of a child, which only following finds.
    let command = ["/usr/bin/strace", "-f", "/bin/sh", "-c", "(/bin/true; :); exit 3"];
    let traces = |run: &Run| {
        run.errors.contains("execve(\"/bin/true\"") && run.errors.contains("exited with 3")
    };
    let control = outside(&world, &command);
    assert!(traces(control.ended_with(3)), "{}", control.told());
    let run = inside(&world, &command, "");
    run.ended_with(1).says("Operation not permitted");
    assert!(!traces(&run), "{}", run.told());
    let run = inside(&world, &command, "allow = [\"devel\"]");
    assert!(traces(run.ended_with(3)), "{}", run.told());
}

/// What a program of 32 bits could do, each a bit of its exit code.
const NUMBER: i32 = 1;
const WRITE: i32 = 2;
const DIRECT: i32 = 4;
const SOCKETCALL: i32 = 8;

/// By calls of its own, with no library: getpid, write, socket and
/// socketcall(SYS_SOCKET), both of the family unix.
const BY_ITSELF: &str = "
.globl _start
_start:
    xor %edi, %edi
    movl $20, %eax
    int $0x80
    test %eax, %eax
    jle 1f
    or $1, %edi
1:  movl $4, %eax
    movl $1, %ebx
    movl $text, %ecx
    movl $3, %edx
    int $0x80
    cmpl $3, %eax
    jne 2f
    or $2, %edi
2:  movl $359, %eax
    movl $1, %ebx
    movl $1, %ecx
    xor %edx, %edx
    int $0x80
    test %eax, %eax
    js 3f
    or $4, %edi
3:  pushl $0
    pushl $1
    pushl $1
    movl $102, %eax
    movl $1, %ebx
    movl %esp, %ecx
    int $0x80
    test %eax, %eax
    js 4f
    or $8, %edi
4:  movl $1, %eax
    movl %edi, %ebx
    int $0x80
text: .ascii \"32\\n\"
";

/// By the C library's functions: getpid and socket.
const BY_THE_LIBRARY: &str = "
.globl _start
_start:
    xor %edi, %edi
    call getpid
    test %eax, %eax
    jle 1f
    or $1, %edi
1:  pushl $0
    pushl $1
    pushl $1
    call socket
    test %eax, %eax
    js 2f
    or $8, %edi
2:  pushl %edi
    call _exit
";

/// Makes a program of 32 bits out of assembly.
fn of_32_bits(world: &World, name: &str, text: &str, link: &str) -> String {
    world.file(&format!("@/made/{name}.s"), text);
    make(world, "/usr/bin/as", &format!("--32 -o @/made/{name}.o @/made/{name}.s"));
    make(world, "/usr/bin/ld", &format!("-m elf_i386 -o @/made/{name} @/made/{name}.o {link}"));
    world.path(&format!("@/made/{name}")).display().to_string()
}

/// Whether this machine has 32-bit programs at all.
fn runs_32_bits(world: &World, test: &str, program: &str) -> bool {
    let mut command = world.command(Path::new(program));
    let runs = command.output().is_ok_and(|output| output.status.code().is_some());
    if !runs {
        crate::skip(&format!("real::{test}"), "this kernel runs no 32-bit programs");
    }
    runs
}

fn programs_of_32_bits() {
    let world = World::new();
    let program = of_32_bits(&world, "alone", BY_ITSELF, "");
    if !runs_32_bits(&world, "programs_of_32_bits", &program) {
        return;
    }
    let command = [program.as_str()];
    outside(&world, &command).ended_with(NUMBER | WRITE | DIRECT | SOCKETCALL);
    let run = inside(&world, &command, "");
    run.ended_with(128 + libc::SIGSYS);
    assert_eq!(run.output, "", "{}", run.told());
    let run = inside(&world, &command, "allow = [\"multiarch\"]");
    assert_eq!(run.output, "32\n", "{}", run.told());
    run.ended_with(NUMBER | WRITE | DIRECT);
    let run = inside(&world, &command, "allow = [\"multiarch\", \"multiarch-sockets\"]");
    run.ended_with(NUMBER | WRITE | DIRECT | SOCKETCALL);
}

/// Debian's C library for i386 makes every socket by socketcall. Should this
/// fail one day because it does so no longer, the feature has lost its point.
fn sockets_of_32_bit_programs() {
    let (library, loader) = ("/lib32/libc.so.6", "/lib/ld-linux.so.2");
    if !there("sockets_of_32_bit_programs", library) {
        return;
    }
    let world = World::new();
    let link = format!("-dynamic-linker {loader} {library}");
    let program = of_32_bits(&world, "linked", BY_THE_LIBRARY, &link);
    if !runs_32_bits(&world, "sockets_of_32_bit_programs", &program) {
        return;
    }
    let command = [program.as_str()];
    outside(&world, &command).ended_with(NUMBER | SOCKETCALL);
    inside(&world, &command, "").ended_with(128 + libc::SIGSYS);
    inside(&world, &command, "allow = [\"multiarch\"]").ended_with(NUMBER);
    let run = inside(&world, &command, "allow = [\"multiarch\", \"multiarch-sockets\"]");
    run.ended_with(NUMBER | SOCKETCALL);
}

fn sockets_of_every_family_are_no_narrow_grant() {
    let world = World::new();
    let both = "allow = [\"multiarch\", \"multiarch-sockets\"]";
    // The control: by themselves it and the ports are taken.
    inside(&world, &["/bin/true"], both).ended_with(0);
    let ports = "[network]\nmode = \"host\"\nconnect = [443]";
    inside(&world, &["/bin/true"], ports).ended_with(0);
    inside(&world, &["/bin/true"], &format!("{both}\n{ports}"))
        .ended_with(65)
        .says("TCP ports cannot be limited together with \"multiarch-sockets\"");
    inside(&world, &["/bin/true"], "allow = [\"multiarch-sockets\"]")
        .ended_with(65)
        .says("means nothing without \"multiarch\"");
}
