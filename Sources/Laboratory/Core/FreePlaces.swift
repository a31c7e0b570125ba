import Runtime

/// What this process believes to be free: places (wells, lanes) in groups (boxes, flow cells).
///
/// A hint that makes a free place quick to find. That a place is held once is the store's claim, never this: a place
/// that turns out to be taken is settled as held, and the next one is tried.
actor FreePlaces<Place: Hashable & Comparable & Sendable> {
  /// Of each group, the last is the next to be taken.
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

  /// A free place of the first of these groups that has one. While others are still undecided it waits for them
  /// rather than say that nothing is free.
  /// - Returns: nil when all are held.
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

  /// What became of a place that was taken.
  func settle(_ place: Place, held: Bool) {
    pending.remove(place)
    if held { remove(place) } else { add(place) }
    let settled = nextSettled
    nextSettled = Once()
    settled.give()
  }

  /// A place is held that wasn't taken here.
  func hold(_ place: Place) { remove(place) }

  /// A place that was held is free again.
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
