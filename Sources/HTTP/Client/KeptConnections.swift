/// The servers that close kept connections without notice. For a while, each call to one of them gets a new connection.
///
/// libcurl drops a kept connection that it sees closed, and one that was idle for long (`EasyHandle.longestIdle`). A
/// server that closes a connection at the time of the next call loses that call, and the caller can't know whether it
/// arrived. After such a loss the client uses new connections for the server: for a minute at first, and four
/// times as long after each further loss, up to a day. An answer over a kept connection ends that.
struct KeptConnections {
  static let shortest = Duration.seconds(60)
  static let longest = Duration.seconds(86_400)

  private struct Loss {
    var until: ContinuousClock.Instant
    var length: Duration
  }
  private var losses: [String: Loss] = [:]

  /// Whether a call to `origin` needs a new connection.
  func areDistrusted(_ origin: String, at now: ContinuousClock.Instant = .now) -> Bool {
    losses[origin].map { now < $0.until } ?? false
  }

  /// A kept connection was lost with a call on it, before anything of its answer came.
  mutating func lost(_ origin: String, at now: ContinuousClock.Instant = .now) {
    // Calls that were under way together are lost together: one loss.
    guard !areDistrusted(origin, at: now) else { return }
    let length = losses[origin].map { min($0.length * 4, Self.longest) } ?? Self.shortest
    losses[origin] = Loss(until: now + length, length: length)
  }

  /// An answer came over a kept connection.
  mutating func answered(_ origin: String) {
    losses[origin] = nil
  }
}
