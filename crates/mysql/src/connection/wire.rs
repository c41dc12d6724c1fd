//! Packets over a stream, with a deadline on every wait.
//!
//! ```text
//! request*  ->  send  ->  answers_from  ->  packet*
//! ```
//!
//! Requests are collected in one buffer and leave with one write; arriving bytes go into one buffer that is
//! used again and again, and packets are slices of it. Large results make the buffer grow to [`LARGEST_CHUNK`],
//! so that a read takes many rows; a packet may need more, up to the limit, and that memory is given back.
//!
//! The timer is lazy: a deadline that moves on with every request does not touch the runtime's timers. It is
//! armed at the first wait and stays as it is; when it fires and the deadline has moved on meanwhile, it is
//! armed again. So one registration serves the requests of a whole deadline's length.
//!
//! Waits can be dropped: bytes that arrived are kept, and how much was sent is remembered. What a dropped wait
//! means for the exchange, the session decides.

use super::stream::Stream;
use crate::error::{Error, Result};
use rustydb_mysql_protocol::Command;
use rustydb_mysql_protocol::compression::{Algorithm, Deflater, Inflater};
use rustydb_mysql_protocol::frame::PacketReader;
use rustydb_mysql_protocol::frame::PacketWriter;
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep};

/// What is read at once in the beginning.
const FIRST_CHUNK: usize = 8 * 1024;
/// What is read at once of large results.
const LARGEST_CHUNK: usize = 128 * 1024;
/// Buffers above this are given back after their request.
const KEPT: usize = 512 * 1024;
/// A peer that never lets a read wait is looked at by the clock after this many reads.
const READS_PER_LOOK: u32 = 64;

/// Packets over a stream.
pub(super) struct Wire {
    stream: Stream,
    reader: PacketReader,
    writer: PacketWriter,
    compression: Option<Box<Compression>>,
    /// Bytes of the request that are out.
    sent: usize,
    timer: Pin<Box<Sleep>>,
    deadline: Instant,
    chunk: usize,
    reads: u32,
    is_lost: bool,
}

struct Compression {
    inflater: Inflater,
    deflater: Deflater,
    /// Frames to be sent.
    out: Vec<u8>,
}

/// The numbers of the answer to one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerFrom {
    packet: u8,
    frame: u8,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("stream", &self.stream).field("deadline", &self.deadline).finish()
    }
}

impl Wire {
    /// Over a stream, for packets of at most `limit` bytes.
    pub(super) fn new(stream: Stream, limit: usize, deadline: Instant) -> Wire {
        let mut reader = PacketReader::new(limit);
        reader.set_chunk(FIRST_CHUNK);
        Wire {
            stream,
            reader,
            writer: PacketWriter::new(),
            compression: None,
            sent: 0,
            timer: Box::pin(tokio::time::sleep_until(deadline)),
            deadline,
            chunk: FIRST_CHUNK,
            reads: 0,
            is_lost: false,
        }
    }

    /// Sets the largest packet that is taken.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.reader.set_limit(limit);
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Bytes that came behind the last packet, which belong to TLS.
    pub(super) fn take_unread(&mut self) -> Vec<u8> {
        self.reader.take_unread()
    }

    /// Compresses from the next request on.
    pub(super) fn start_compression(&mut self, algorithm: Algorithm) {
        self.reader.ignore_sequence();
        let (inflater, deflater) = (Inflater::new(algorithm), Deflater::new(algorithm));
        self.compression = Some(Box::new(Compression { inflater, deflater, out: Vec::new() }));
    }

    /// Forgets an unfinished request and begins with an empty buffer.
    pub(super) fn begin(&mut self) {
        self.writer.clear();
        self.sent = 0;
        if let Some(compression) = &mut self.compression {
            compression.out.clear();
        }
    }

    /// Appends a request: its command and what `build` appends.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above `limit` bytes: nothing was appended.
    #[inline]
    pub(super) fn request(
        &mut self,
        command: Command,
        limit: usize,
        build: impl FnOnce(&mut Vec<u8>),
    ) -> Result<AnswerFrom> {
        self.writer.set_sequence(0);
        let start = self.writer.begin();
        let before = self.writer.len();
        self.writer.buffer().push(command as u8);
        build(self.writer.buffer());
        let size = self.writer.len() - before;
        if size > limit {
            self.writer.abandon(start);
            self.writer.shrink(KEPT);
            return Err(Error::TooLarge { size, limit });
        }
        self.writer.finish(start);
        let packet = self.writer.sequence();
        Ok(AnswerFrom { packet, frame: self.compress(Some(0))? })
    }

    /// Appends a packet that goes on with the exchange under way.
    pub(super) fn reply(&mut self, build: impl FnOnce(&mut Vec<u8>)) -> Result<AnswerFrom> {
        self.writer.set_sequence(self.reader.sequence());
        self.writer.packet(build);
        let frame = self.compression.as_ref().map(|compression| compression.inflater.sequence());
        Ok(AnswerFrom { packet: self.writer.sequence(), frame: self.compress(frame)? })
    }

    /// Puts what the writer holds into frames from number `from` on, where there is compression.
    fn compress(&mut self, from: Option<u8>) -> Result<u8> {
        let (Some(compression), Some(from)) = (&mut self.compression, from) else { return Ok(0) };
        compression.deflater.set_sequence(from);
        let written = compression.deflater.write(self.writer.bytes(), &mut compression.out);
        written.map_err(|source| Error::Protocol { during: "compression", source })?;
        self.writer.clear();
        Ok(compression.deflater.sequence())
    }

    /// Expects the answer to this request next.
    pub(super) fn answers_from(&mut self, from: AnswerFrom) {
        self.reader.set_sequence(from.packet);
        if let Some(compression) = &mut self.compression {
            compression.inflater.set_sequence(from.frame);
        }
    }

    /// Sends what was appended.
    pub(super) async fn send(&mut self, during: &'static str) -> Result<()> {
        let sent = poll_fn(|context| self.poll_send(context)).await;
        self.begin();
        self.writer.shrink(KEPT);
        if let Some(compression) = &mut self.compression {
            compression.out.shrink_to(KEPT);
        }
        match sent {
            Ok(()) => Ok(()),
            Err(Wait::Deadline) => Err(Error::Timeout { during }),
            Err(Wait::Io(source)) => self.lost(during, source),
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Wait>> {
        loop {
            let bytes = match &self.compression {
                Some(compression) => &compression.out[..],
                None => self.writer.bytes(),
            };
            let rest = bytes.get(self.sent..).unwrap_or_default();
            let step = if rest.is_empty() {
                match self.stream.poll_flush(context) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                }
            } else {
                self.stream.poll_write(context, rest)
            };
            match step {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(Wait::Io(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(count)) => self.sent += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Wait::Io(error))),
                Poll::Pending => {
                    ready!(self.poll_deadline(context));
                    return Poll::Ready(Err(Wait::Deadline));
                }
            }
        }
    }

    /// Whether the next packet is here already; it is then [`current`](Self::current).
    #[inline]
    pub(super) fn has_packet(&mut self, during: &'static str) -> Result<bool> {
        match self.reader.next() {
            Ok(packet) => Ok(packet.is_some()),
            Err(source) => Err(Error::Protocol { during, source }),
        }
    }

    /// Waits for the next packet, which is then [`current`](Self::current).
    #[inline]
    pub(super) async fn packet(&mut self, during: &'static str) -> Result<()> {
        while !self.has_packet(during)? {
            self.fill(during).await?;
        }
        Ok(())
    }

    /// Waits for more bytes. To be called when [`has_packet`](Self::has_packet) said no.
    pub(super) async fn fill(&mut self, during: &'static str) -> Result<()> {
        match poll_fn(|context| self.poll_fill(context)).await {
            Ok(0) => self.lost(during, io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(Fill::Wait(Wait::Deadline)) => Err(Error::Timeout { during }),
            Err(Fill::Wait(Wait::Io(source))) => self.lost(during, source),
            Err(Fill::Protocol(source)) => Err(Error::Protocol { during, source }),
        }
    }

    fn lost(&mut self, during: &'static str, source: io::Error) -> Result<()> {
        self.is_lost = true;
        Err(Error::Lost { during, source })
    }

    /// Whether the connection is known to be gone.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<usize, Fill>> {
        self.reads = self.reads.wrapping_add(1);
        if self.reads.is_multiple_of(READS_PER_LOOK) && Instant::now() >= self.deadline {
            return Poll::Ready(Err(Fill::Wait(Wait::Deadline)));
        }
        let read = match &mut self.compression {
            None => {
                let space = self.reader.space();
                let room = space.len();
                match self.stream.poll_read(context, space) {
                    Poll::Ready(Ok(count)) => {
                        self.reader.filled(count);
                        if count == room && self.chunk < LARGEST_CHUNK {
                            self.chunk *= 2;
                            self.reader.set_chunk(self.chunk);
                        }
                        return Poll::Ready(Ok(count));
                    }
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                }
            }
            Some(compression) => loop {
                match compression.inflater.read(self.reader.space()) {
                    Ok(0) => {}
                    Ok(count) => {
                        self.reader.filled(count);
                        return Poll::Ready(Ok(count));
                    }
                    Err(source) => return Poll::Ready(Err(Fill::Protocol(source))),
                }
                match self.stream.poll_read(context, compression.inflater.space()) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Ok(0)),
                    Poll::Ready(Ok(count)) => compression.inflater.filled(count),
                    Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                    Poll::Pending => break Poll::Pending,
                }
            },
        };
        match read {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(0)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(Fill::Wait(Wait::Io(error)))),
            Poll::Pending => {
                ready!(self.poll_deadline(context));
                Poll::Ready(Err(Fill::Wait(Wait::Deadline)))
            }
        }
    }

    /// Ready once the deadline has passed.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.timer.deadline() > self.deadline {
                self.timer.as_mut().reset(self.deadline);
            }
            ready!(self.timer.as_mut().poll(context));
            if Instant::now() >= self.deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.deadline);
        }
    }

    /// The packet that came last.
    #[inline]
    pub(super) fn current(&self) -> &[u8] {
        self.reader.current()
    }

    /// Gives the memory of large packets back.
    #[inline]
    pub(super) fn rest(&mut self) {
        if self.reader.capacity() > KEPT {
            self.chunk = FIRST_CHUNK;
            self.reader.set_chunk(FIRST_CHUNK);
            self.reader.shrink(FIRST_CHUNK);
        }
    }

    /// Whether the peer has said nothing, not even goodbye, since the last answer. What the runtime already
    /// knows of the socket is asked: no round trip, and a system call only where something did arrive.
    pub(super) fn is_quiet(&mut self) -> bool {
        if !matches!(self.reader.next(), Ok(None)) || self.reader.is_mid_packet() {
            return false;
        }
        let mut context = Context::from_waker(std::task::Waker::noop());
        self.stream.poll_read(&mut context, self.reader.space()).is_pending()
    }
}

/// Why a wait ended without what was waited for.
enum Wait {
    Deadline,
    Io(io::Error),
}

enum Fill {
    Wait(Wait),
    Protocol(rustydb_mysql_protocol::Error),
}
