//! Bytes read as a row of choices. Any bytes are some row: those that are
//! missing at the end count as zero, so that cutting a row short keeps it one.

/// The choices that are left.
pub struct Draw<'a> {
    bytes: &'a [u8],
}

impl<'a> Draw<'a> {
    pub fn new(bytes: &'a [u8]) -> Draw<'a> {
        Draw { bytes }
    }

    pub fn is_over(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All that no choice was made with.
    pub fn rest(self) -> &'a [u8] {
        self.bytes
    }

    pub fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let (now, later) = self.bytes.split_at(N.min(self.bytes.len()));
        taken[..now.len()].copy_from_slice(now);
        self.bytes = later;
        taken
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}
