import Persistence

/// How many events are read at once: few while they are large, so that a history of large events never stands in memory
/// as a whole.
struct PageSize {
  /// The number to read next.
  private(set) var count = Self.first
  /// How many bytes a page is to have at most, if its events are as large as those before.
  private static let bytes = 8 << 20
  private static let first = 32
  private static let most = 500

  /// Takes in a page that was read.
  mutating func note(_ page: [StoredEvent]) {
    guard !page.isEmpty else { return }
    let average = max(1, page.reduce(0) { $0 + $1.data.count + $1.meta.count } / page.count)
    count = min(max(1, Self.bytes / average), Self.most)
  }
}
