use std::io::Write;
use std::os::unix::net::UnixStream;

use super::*;
use crate::proxy::wire::{Argument, Draft};

fn pair() -> (Link, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Link::new(ours.into()), theirs)
}

fn message(length: usize) -> Vec<u8> {
    Draft::bus_call(1, 0, "M", Argument::Text(&"x".repeat(length))).write()
}

fn send(socket: &UnixStream, bytes: &[u8], descriptors: usize) {
    let null = std::fs::File::open("/dev/null").unwrap();
    let many = vec![null.as_fd(); descriptors];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&many)));
    let sent =
        rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::empty());
    assert_eq!(sent, Ok(bytes.len()));
}

/// Takes the message at the front, as the relay does.
fn take(link: &mut Link, declared: u32) -> Result<usize, Malformed> {
    let length = link.message()?.expect("a message is there");
    let taken = link.descriptors(length, declared)?.len();
    link.consume(length);
    Ok(taken)
}

#[test]
fn a_message_is_there_when_its_last_byte_is() {
    let (mut link, mut socket) = pair();
    let bytes = message(40_000);
    for (index, part) in bytes.chunks(7000).enumerate() {
        socket.write_all(part).unwrap();
        while link.receive().unwrap() != Received::Nothing {}
        let complete = (index + 1) * 7000 >= bytes.len();
        assert_eq!(link.message().unwrap().is_some(), complete);
    }
    assert_eq!(link.input(), bytes);
    link.consume(bytes.len());
    assert!(link.input().is_empty());
}

#[test]
fn room_grows_with_what_comes_and_is_given_back() {
    let (mut link, mut socket) = pair();
    let bytes = message(1 << 20);
    socket.write_all(&bytes[..16]).unwrap();
    link.receive().unwrap();
    assert!(link.held() <= ROOM, "an announced megabyte takes no room");
    socket.write_all(&bytes[16..20_000]).unwrap();
    while link.receive().unwrap() != Received::Nothing {}
    assert!(link.held() <= ROOM_KEPT, "nor does it when a little more has come");
    let writer = std::thread::spawn(move || socket.write_all(&bytes[20_000..]).map(|()| socket));
    while link.message().unwrap().is_none() {
        link.receive().unwrap();
    }
    take(&mut link, 0).unwrap();
    assert_eq!(link.held(), 0);
    drop(writer.join());
}

#[test]
fn descriptors_belong_to_the_message_that_they_came_with() {
    let (mut link, socket) = pair();
    send(&socket, &message(5), 3);
    send(&socket, &message(5), 2);
    send(&socket, &message(5), 1);
    while link.receive().unwrap() != Received::Nothing {}
    assert_eq!(take(&mut link, 2), Ok(2), "the third is closed");
    assert_eq!(take(&mut link, 0), Ok(0), "both are closed");
    assert!(link.batches.iter().all(|batch| batch.began >= link.passed));
    assert_eq!(take(&mut link, 2), Err(Malformed::Descriptors), "only one came");
}

#[test]
fn descriptors_before_their_message_are_not_those_of_the_next() {
    let (mut link, mut socket) = pair();
    send(&socket, &message(5), 1);
    socket.write_all(&message(5)).unwrap();
    while link.receive().unwrap() != Received::Nothing {}
    assert_eq!(take(&mut link, 0), Ok(0));
    assert_eq!(take(&mut link, 1), Err(Malformed::Descriptors));
}

#[test]
fn descriptors_with_a_later_part_of_a_message_are_taken() {
    let (mut link, mut socket) = pair();
    let bytes = message(5);
    socket.write_all(&bytes[..10]).unwrap();
    send(&socket, &bytes[10..], 2);
    while link.receive().unwrap() != Received::Nothing {}
    assert_eq!(take(&mut link, 2), Ok(2));
    assert!(link.batches.is_empty());
}

#[test]
fn output_waits_until_it_is_taken_and_is_thrown_away_when_nobody_will() {
    let (mut link, mut socket) = pair();
    for _ in 0..100 {
        link.push(&message(10_000), Vec::new());
    }
    link.flush();
    assert!(link.has_output() && link.is_full());
    let mut taken = 0;
    let mut bytes = vec![0; 1 << 16];
    while link.has_output() {
        taken += std::io::Read::read(&mut socket, &mut bytes).unwrap();
        link.flush();
    }
    assert!(taken > 0 && !link.is_full());
    assert_eq!(link.waiting, 0);
    drop(socket);
    link.push(&message(5), Vec::new());
    link.flush();
    assert!(!link.has_output());
    assert_eq!(link.receive(), Ok(Received::End));
    assert!(link.has_ended());
}

#[test]
fn descriptors_go_out_with_the_first_byte_and_are_closed() {
    let (mut link, socket) = pair();
    let (reader, writer) = std::io::pipe().unwrap();
    let bytes = message(5);
    link.push(&message(9), Vec::new());
    link.push(&bytes, vec![writer.into()]);
    link.push(&message(7), Vec::new());
    link.flush();
    let mut other = Link::new(socket.into());
    while other.receive().unwrap() != Received::Nothing {}
    assert_eq!(take(&mut other, 0), Ok(0));
    assert_eq!(take(&mut other, 1), Ok(1));
    assert_eq!(take(&mut other, 0), Ok(0));
    let mut reader = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    assert_eq!(std::io::Read::read(&mut reader, &mut [0]).unwrap(), 0, "nobody holds the pipe");
}

#[test]
fn waiting_descriptors_fill_a_link_too() {
    let (mut link, _socket) = pair();
    let null = std::fs::File::open("/dev/null").unwrap();
    for _ in 0..WAITING_DESCRIPTORS_MAX + 1 {
        assert!(!link.is_full());
        link.push(&message(5), vec![null.try_clone().unwrap().into()]);
    }
    assert!(link.is_full());
}
