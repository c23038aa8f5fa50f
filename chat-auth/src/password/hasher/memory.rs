use std::collections::TryReserveError;

use argon2::Block;

/// The memory of one thread that hashes, used again for every hash.
///
/// It is taken from the system with the first hash and kept. A hash that costs more than new ones do
/// gets more, which is given back at its end.
#[derive(Debug)]
pub(super) struct HashMemory {
    blocks: Vec<Block>,
    /// The blocks that are kept.
    kept: usize,
}

impl HashMemory {
    /// Keeps as many blocks of 1 KiB as a new hash needs.
    pub(super) const fn new(kept: usize) -> Self {
        Self { blocks: Vec::new(), kept }
    }

    /// The blocks that are kept between two hashes.
    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    /// Lends `count` blocks. What is in them does not matter: Argon2 writes each before reading it.
    ///
    /// # Errors
    ///
    /// The system has not so much memory.
    pub(super) fn lend<T>(
        &mut self,
        count: usize,
        work: impl FnOnce(&mut [Block]) -> T,
    ) -> Result<T, TryReserveError> {
        if let Some(missing) = count.checked_sub(self.blocks.len()) {
            self.blocks.try_reserve_exact(missing)?;
            self.blocks.resize(count, Block::new());
        }
        let done = work(&mut self.blocks[..count]);
        if self.blocks.len() > self.kept {
            self.blocks.truncate(self.kept);
            self.blocks.shrink_to_fit();
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_serves_all_and_what_a_dearer_hash_needs_is_given_back() {
        let mut memory = HashMemory::new(16);
        let first = memory.lend(16, |blocks| blocks.as_ptr()).unwrap();
        assert_eq!(memory.lend(8, |blocks| (blocks.as_ptr(), blocks.len())), Ok((first, 8)));
        assert_eq!(memory.lend(16, |blocks| blocks.as_ptr()), Ok(first));
        assert_eq!(memory.lend(64, |blocks| blocks.len()), Ok(64));
        assert_eq!(memory.blocks.capacity(), 16);
        assert!(memory.lend(usize::MAX / 2, |_| ()).is_err(), "an error, and no abort");
    }
}
