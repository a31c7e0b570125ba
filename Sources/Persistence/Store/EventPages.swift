public import Values

/// The events of one stream, read page by page. The pages are small while the events are large, so that memory never
/// contains a whole history of large events.
public struct EventPages: Sendable {
  private let store: any EventReading
  private let stream: UniqueID
  private let last: Int
  private var size = PageSize()
  private var isOver = false
  /// The version of the last event that was read; the version to begin after, before the first page.
  public private(set) var version: Int

  /// - Parameters:
  ///   - store: the store of the stream.
  ///   - stream: the id of the stream.
  ///   - version: the version after which the pages begin.
  ///   - last: the version of the last event to read.
  public init(_ store: any EventReading, of stream: UniqueID, after version: Int = 0, upTo last: Int = .max) {
    self.store = store
    self.stream = stream
    self.version = version
    self.last = last
  }

  /// Returns the next page, which is never empty; nil at the end.
  public mutating func next() async throws(StoreError) -> [StoredEvent]? {
    if isOver || last <= version { return nil }
    let wanted = min(size.count, last - max(0, version))
    let page = try await store.read(stream, after: version, limit: wanted)
    isOver = page.count < wanted
    guard let end = page.last else { return nil }
    size.note(page)
    version = end.version
    return page
  }
}

/// The number of events that are read at once.
struct PageSize {
  /// The number to read next.
  private(set) var count = Self.first
  /// The most bytes of a page, if its events are as large as those before.
  private static let bytes = 8 << 20
  private static let first = 32
  private static let most = 500

  /// Adjusts the size after a page was read.
  mutating func note(_ page: [StoredEvent]) {
    let average = max(1, page.reduce(0) { $0 + $1.data.count + $1.meta.count } / max(1, page.count))
    count = min(max(1, Self.bytes / average), Self.most)
  }
}

extension EventReading {
  /// Returns the events of a stream, oldest first, page by page.
  /// - Parameters:
  ///   - version: the version after which the pages begin.
  ///   - last: the version of the last event to read.
  public func pages(of stream: UniqueID, after version: Int = 0, upTo last: Int = .max) -> EventPages {
    EventPages(self, of: stream, after: version, upTo: last)
  }
}
