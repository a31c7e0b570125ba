import JSON
import Values

/// Counts by key and window.
///
/// ```
/// (key, window) absent ── event ──▶ open ↺ event
///                                    │ watermark reaches the window's end: the result is sent, once
///                                    ▼
///                                  closed ── event: late, never counted
/// ```
struct WindowCount: Sendable {
  struct Taken: Sendable, Hashable {
    /// The windows of the event that were closed already.
    var missed: [Window] = []
    /// The number of windows of the event.
    var windows = 0

    /// The reason why the event is late; nil when no window was closed.
    var reason: String? {
      guard let last = missed.first, let first = missed.last else { return nil }
      let which =
        missed.count == 1
        ? "The window from \(first.start) to \(first.end) had been closed"
        : "\(missed.count) windows, the first from \(first.start), the last to \(last.end), had been closed"
      let rest = windows == missed.count ? "" : "; it is counted in the \(windows - missed.count) that were still open"
      return "\(which) when the event came\(rest)."
    }
  }
  struct Window: Sendable, Hashable {
    let start: Timestamp
    let end: Timestamp
  }

  private let name: String
  private let type: String
  private let size: Int64
  private let advance: Int64
  /// The open counts by key, by the window's start in milliseconds.
  private var open: [Int64: [String: Int]] = [:]
  /// The start of the first window to be closed.
  private var first: Int64?
  private var changed: Set<Place> = []

  private struct Place: Hashable {
    let start: Int64
    let key: String
  }

  /// - Parameter documents: the stored open counts.
  init(_ plan: CountPlan, name: String, type: String, restoring documents: [StateDocument] = []) throws(StreamError) {
    self.name = name
    self.type = type
    size = plan.size.roundedUpMilliseconds
    advance = plan.advance.roundedUpMilliseconds
    for document in documents { try restore(document) }
  }

  /// The number of open counts.
  var count: Int { open.values.reduce(0) { $0 + $1.count } }
  /// The end of the first open window.
  var firstEnd: Timestamp? { first.map { Timestamp(milliseconds: $0 + size) } }

  /// Returns the end of the last open window that ends at this time or before it.
  func lastEnd(by time: Timestamp) -> Timestamp? {
    guard let firstEnd, firstEnd <= time else { return nil }
    return open.keys.map { Timestamp(milliseconds: $0 + size) }.filter { $0 <= time }.max()
  }

  /// Counts an event in each of its windows that is still open.
  mutating func take(key: String, at time: Timestamp, watermark: Timestamp?) -> Taken {
    var taken = Taken()
    var start = time.milliseconds.floored(to: advance)
    while start > time.milliseconds - size {
      taken.windows += 1
      if let watermark, start + size <= watermark.milliseconds {
        taken.missed.append(window(start))
      } else {
        open[start, default: [:]][key, default: 0] += 1
        first = min(start, first ?? start)
        changed.insert(Place(start: start, key: key))
      }
      start -= advance
    }
    return taken
  }

  /// Closes every window that ends at the watermark or before it, the earliest first.
  mutating func close(to watermark: Timestamp) -> [StreamOutput] {
    guard let first, first + size <= watermark.milliseconds else { return [] }
    var outputs: [StreamOutput] = []
    for start in open.keys.sorted() where start + size <= watermark.milliseconds {
      let counts = (open.removeValue(forKey: start) ?? [:]).sorted { $0.key.precedes($1.key) }
      for (key, count) in counts {
        outputs.append(output(window(start), key, count))
        changed.insert(Place(start: start, key: key))
      }
    }
    self.first = open.keys.min()
    return outputs
  }

  private func window(_ start: Int64) -> Window {
    Window(start: Timestamp(milliseconds: start), end: Timestamp(milliseconds: start + size))
  }

  private func output(_ window: Window, _ key: String, _ count: Int) -> StreamOutput {
    let (start, end) = (window.start.description, window.end.description)
    return StreamOutput(
      id: StreamOutput.id(name, start, end, key), type: type, key: key.isEmpty ? nil : key,
      // The last millisecond of the window, so that a stream that counts these results puts them into the same window.
      time: Timestamp(milliseconds: window.end.milliseconds - 1),
      data: [
        "key": .string(key), "window": ["start": .string(start), "end": .string(end)], "count": .int(count),
      ])
  }

  // MARK: State

  private static let prefix = "window/"

  mutating func takeChanges(into changes: inout StateChanges) {
    for place in changed {
      let id = "\(Self.prefix)\(place.start)/\(place.key)"
      if let count = open[place.start]?[place.key] {
        changes.put(id, ["start": .int(Int(place.start)), "key": .string(place.key), "count": .int(count)])
      } else {
        changes.delete(id)
      }
    }
    changed = []
  }

  private mutating func restore(_ document: StateDocument) throws(StreamError) {
    guard document.id.hasPrefix(Self.prefix), let start = document.data["start"]?.intValue,
      let key = document.data["key"]?.stringValue, let count = document.data["count"]?.intValue
    else { throw .unreadable(document.id) }
    open[Int64(start), default: [:]][key] = count
    first = min(Int64(start), first ?? Int64(start))
  }
}

extension Int64 {
  /// Returns the largest multiple of `step` that is not greater.
  fileprivate func floored(to step: Int64) -> Int64 {
    let rest = self % step
    return self - (rest < 0 ? rest + step : rest)
  }
}

extension String {
  /// Compares byte by byte, which gives the same order on every machine.
  func precedes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
