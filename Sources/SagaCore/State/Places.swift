import Workflows

/// A set of steps by their indexes: those of the definition as bits, and items as a sorted list. At most `maxParallel`
/// items of a step are in a set, because only items under way, and undos that wait for an operator, are in sets.
struct Places: Sequence, Sendable, Hashable {
  private(set) var steps: StepSet
  private(set) var items: [Int] = []

  init(_ steps: StepSet) { self.steps = steps }

  init(count: Int) { steps = StepSet(count: count) }

  var isEmpty: Bool { items.isEmpty && steps.isEmpty }
  var first: Int? { steps.first ?? items.first }

  func contains(_ place: Int) -> Bool {
    guard ItemPlace(place) != nil else { return steps.contains(place) }
    let position = position(of: place)
    return position < items.count && items[position] == place
  }

  mutating func insert(_ place: Int) {
    guard ItemPlace(place) != nil else { return steps.insert(place) }
    let position = position(of: place)
    if position == items.count || items[position] != place { items.insert(place, at: position) }
  }

  mutating func remove(_ place: Int) {
    guard ItemPlace(place) != nil else { return steps.remove(place) }
    let position = position(of: place)
    if position < items.count, items[position] == place { items.remove(at: position) }
  }

  /// Returns the first step or item after this one: steps in file order, then items.
  func next(after place: Int) -> Int? {
    if ItemPlace(place) == nil, let step = steps.next(after: place) { return step }
    let position = position(of: place + 1)
    return position < items.count ? items[position] : nil
  }

  mutating func formUnion(_ other: StepSet) { steps.formUnion(other) }

  func union(_ other: StepSet) -> Places {
    var result = self
    result.steps.formUnion(other)
    return result
  }

  func union(_ other: Places) -> Places {
    var result = union(other.steps)
    for item in other.items { result.insert(item) }
    return result
  }

  /// Returns those that are in the set, and the items of steps that are in the set.
  func within(_ steps: StepSet) -> Places {
    var result = Places(self.steps.intersection(steps))
    result.items = items.filter { steps.contains(ItemPlace.step(of: $0)) }
    return result
  }

  func makeIterator() -> Iterator { Iterator(places: self) }

  struct Iterator: IteratorProtocol {
    fileprivate let places: Places
    private var last = -1

    fileprivate init(places: Places) { self.places = places }

    mutating func next() -> Int? {
      guard let place = places.next(after: last) else { return nil }
      last = place
      return place
    }
  }

  /// Returns the position of the first item that is not before the place.
  private func position(of place: Int) -> Int {
    var (low, high) = (0, items.count)
    while low < high {
      let middle = (low + high) / 2
      if items[middle] < place { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
