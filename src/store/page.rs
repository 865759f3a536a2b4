//! Decides how many payments to read at once, by their bytes: one may be a hundred times as large as another.

/// Bounds of a page, in rows and in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The most rows.
    pub rows_max: u32,
    /// About how many bytes they may hold together.
    pub bytes_max: usize,
}

/// The first page is small, since nothing is known yet about the size of the rows.
const FIRST_ROWS: u32 = 64;

impl Page {
    /// The rows of the first page.
    #[must_use]
    pub fn first(self) -> u32 {
        FIRST_ROWS.min(self.rows_max)
    }

    /// The rows of the next page, by the bytes of each row of the last one.
    #[must_use]
    pub fn next(self, bytes: impl ExactSizeIterator<Item = usize>) -> u32 {
        let rows = bytes.len();
        let held: usize = bytes.sum();
        let fit = self.bytes_max.saturating_mul(rows) / held.max(1);
        u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, self.rows_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_rows_make_small_pages() {
        let page = Page { rows_max: 500, bytes_max: 1_000_000 };
        assert_eq!(page.first(), 64);
        assert_eq!(page.next([1_000; 64].into_iter()), 500);
        assert_eq!(page.next([25_000; 64].into_iter()), 40);
        assert_eq!(page.next([5_000_000; 2].into_iter()), 1);
        assert_eq!(page.next([].into_iter()), 1);
    }
}
