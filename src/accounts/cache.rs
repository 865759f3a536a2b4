//! A small bounded cache in two generations: what was used recently stays, the rest falls out. No timers, no tasks.

use std::borrow::Borrow;
use std::hash::Hash;

use parking_lot::Mutex;

use crate::domain::ids::IdMap;

/// A cache of at most `2 × half` entries.
#[derive(Debug)]
pub struct TwoGenerationCache<K, V> {
    half: usize,
    inner: Mutex<(IdMap<K, V>, IdMap<K, V>)>,
}

impl<K: Eq + Hash, V: Clone> TwoGenerationCache<K, V> {
    /// An empty cache for at most `bound` entries.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { half: (bound / 2).max(1), inner: Mutex::new((IdMap::default(), IdMap::default())) }
    }

    /// The value under `key`; being read keeps it.
    pub fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut inner = self.inner.lock();
        if let Some(value) = inner.0.get(key) {
            return Some(value.clone());
        }
        let (key, value) = inner.1.remove_entry(key)?;
        let kept = value.clone();
        self.put(&mut inner, key, value);
        Some(kept)
    }

    /// Keeps `value` under `key`.
    pub fn insert(&self, key: K, value: V) {
        let mut inner = self.inner.lock();
        inner.1.remove(&key);
        self.put(&mut inner, key, value);
    }

    /// Forgets `key`.
    pub fn remove<Q: ?Sized + Eq + Hash>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        let mut inner = self.inner.lock();
        inner.0.remove(key);
        inner.1.remove(key);
    }

    /// Forgets every entry for which `keep` is false.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) {
        let mut inner = self.inner.lock();
        inner.0.retain(|key, value| keep(key, value));
        inner.1.retain(|key, value| keep(key, value));
    }

    /// Changes the value under `key`, starting from `fresh` if there is none, and returns what `change` returns.
    pub fn update<T>(&self, key: K, fresh: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> T) -> T {
        let mut inner = self.inner.lock();
        let old = inner.0.remove(&key).or_else(|| inner.1.remove(&key));
        let mut value = old.unwrap_or_else(fresh);
        let result = change(&mut value);
        self.put(&mut inner, key, value);
        result
    }

    fn put(&self, inner: &mut (IdMap<K, V>, IdMap<K, V>), key: K, value: V) {
        if inner.0.len() >= self.half && !inner.0.contains_key(&key) {
            inner.1 = std::mem::take(&mut inner.0);
        }
        inner.0.insert(key, value);
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let inner = self.inner.lock();
        inner.0.len() + inner.1.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = TwoGenerationCache::new(8);
        cache.insert(0, 0);
        for n in 1..1_000 {
            cache.insert(n, n);
            assert_eq!(cache.get(&0), Some(0));
            assert!(cache.len() <= 8);
        }
        assert_eq!(cache.get(&1), None);
    }
}
