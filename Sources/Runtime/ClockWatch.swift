import Values

/// Reports when the machine's wall clock and the engine's time differ, because the clock was set or was wrong before.
public struct ClockWatch: Sendable {
  /// The difference from which a line is logged. Smaller differences vanish within hours.
  public static let bearable = Duration.seconds(5)
  private static let lookEvery = Duration.seconds(10)

  private let clock: any WallClock
  private let log: Log

  public init(clock: any WallClock, log: Log) {
    self.clock = clock
    self.log = log
  }

  /// Compares the clocks until the task is cancelled.
  public func run() async throws {
    var told = Duration.zero
    while true {
      let difference = clock.wallNow() - clock.now()
      if abs(difference - told) > Self.bearable {
        told = abs(difference) > Self.bearable ? difference : .zero
        say(difference)
      }
      try await clock.sleep(until: clock.now() + Self.lookEvery)
    }
  }

  private func say(_ difference: Duration) {
    let seconds = "\(difference.components.seconds)"
    if abs(difference) <= Self.bearable {
      log.info("The wall clock and the engine's time are together again", ("seconds", seconds))
    } else {
      log.warning(
        "The wall clock and the engine's time differ: the clock was set. Timers run on by the engine's time; a restart "
          + "takes the wall clock's, unless that is behind the last event", ("seconds", seconds),
        ("wall", "\(clock.wallNow())"), ("engine", "\(clock.now())"))
    }
  }

  private func abs(_ duration: Duration) -> Duration { duration < .zero ? .zero - duration : duration }
}
