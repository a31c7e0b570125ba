import Runtime

/// The places (wells, lanes) in groups (boxes, flow cells) that this process believes to be free.
///
/// A hint for finding a free place quickly. Only the store's claim guarantees that a place is held once. A place that
/// turns out to be taken is settled as held, and the caller tries the next one.
actor FreePlaces<Place: Hashable & Comparable & Sendable> {
  /// The free places of each group; the last one is taken next.
  private var free: [String: [Place]] = [:]
  private var groupOf: [Place: String] = [:]
  private var pending: Set<Place> = []
  /// Given when the next place is settled.
  private var nextSettled = Once<Void>()

  init(groups: [(name: String, places: [Place])], held: Set<Place>) {
    for (name, places) in groups {
      for place in places { groupOf[place] = name }
      free[name] = places.filter { !held.contains($0) }.sorted(by: >)
    }
  }

  /// Takes a free place of the first of these groups that has one. While taken places are not settled, it waits for them
  /// instead of returning nil.
  /// - Returns: nil when all places are held.
  func take(from groups: [String]) async -> Place? {
    let wanted = Set(groups)
    while true {
      for group in groups {
        guard let place = free[group]?.popLast() else { continue }
        pending.insert(place)
        return place
      }
      guard pending.contains(where: { groupOf[$0].map(wanted.contains) ?? false }) else { return nil }
      await nextSettled.value()
    }
  }

  /// Settles a place that was taken: it is held, or free again.
  func settle(_ place: Place, held: Bool) {
    pending.remove(place)
    if held { remove(place) } else { add(place) }
    let settled = nextSettled
    nextSettled = Once()
    settled.give()
  }

  /// Notes that a place is held that was not taken here.
  func hold(_ place: Place) { remove(place) }

  /// Notes that a held place is free again.
  func release(_ place: Place) { if !pending.contains(place) { add(place) } }

  func free(in group: String) -> [Place] { free[group]?.reversed() ?? [] }
  func freeCount(in group: String) -> Int { free[group]?.count ?? 0 }

  private func add(_ place: Place) {
    guard let group = groupOf[place], let places = free[group] else { return }
    let index = places.firstIndex { $0 <= place } ?? places.count
    guard index == places.count || places[index] != place else { return }
    free[group, default: []].insert(place, at: index)
  }

  private func remove(_ place: Place) {
    guard let group = groupOf[place] else { return }
    free[group]?.removeAll { $0 == place }
  }
}
