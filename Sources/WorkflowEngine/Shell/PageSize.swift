import Persistence

/// The number of events that are read at once. It is small while the events are large, so that memory never contains a
/// whole history of large events.
struct PageSize {
  /// The number to read next.
  private(set) var count = Self.first
  /// The most bytes of a page, if its events are as large as those before.
  private static let bytes = 8 << 20
  private static let first = 32
  private static let most = 500

  /// Adjusts the size after a page was read.
  mutating func note(_ page: [StoredEvent]) {
    guard !page.isEmpty else { return }
    let average = max(1, page.reduce(0) { $0 + $1.data.count + $1.meta.count } / page.count)
    count = min(max(1, Self.bytes / average), Self.most)
  }
}
