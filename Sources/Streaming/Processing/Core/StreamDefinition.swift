public import JSON
import Runtime
import Values
public import Workflows

/// A stream: topics that are read, what is made of their events, and the topic that it goes to.
public struct StreamDefinition: Sendable {
  public enum Work: Sendable {
    case transform(TransformPlan)
    case count(CountPlan)
    case join(JoinPlan)
  }

  /// Names its state, its ids and its source; another definition needs another name.
  public let name: String
  public let description: String?
  public let work: Work
  /// The output topic.
  public let to: String
  /// The `type` of its events.
  public let type: String
  /// Where events go that came too late to count, if anywhere.
  public let late: String?

  public init(
    name: String, description: String? = nil, work: Work, to: String, type: String? = nil, late: String? = nil
  ) {
    self.name = name
    self.description = description
    self.work = work
    self.to = to
    self.type = type ?? name
    self.late = late
  }

  /// The CloudEvents source of everything that it sends.
  public var source: String { "/streams/\(name)" }

  /// The topics that it reads, each once.
  public var topics: [String] {
    switch work {
    case .transform(let plan): [plan.input.topic]
    case .count(let plan): [plan.input.topic]
    case .join(let plan): plan.left.topic == plan.right.topic ? [plan.left.topic] : [plan.left.topic, plan.right.topic]
    }
  }

  /// How it reckons with time; nil when time is nothing to it.
  var timing: StreamTiming? {
    switch work {
    case .transform: nil
    case .count(let plan): plan.timing
    case .join(let plan): plan.timing
    }
  }

  /// What the stored state depends on. State of a definition with another fingerprint can't be gone on with.
  var fingerprint: String {
    func text(_ input: StreamInput) -> [String] {
      [input.topic, input.when?.text ?? "", input.key?.text ?? "", input.time?.text ?? ""]
    }
    let parts: [String] =
      switch work {
      // It keeps nothing that depends on its definition.
      case .transform: ["transform"]
      case .count(let plan):
        ["count", DurationText.format(plan.size), DurationText.format(plan.advance)] + text(plan.input)
      case .join(let plan):
        ["join", DurationText.format(plan.within)] + text(plan.left) + text(plan.right)
      }
    return Digest.hex(Array(parts.map { "\($0.utf8.count):\($0)" }.joined().utf8))
  }
}

/// How a stream reckons with events that come out of order, late, or not at all.
public struct StreamTiming: Sendable, Hashable {
  /// How far behind the latest event of its partition an event may be and still count.
  public let lateness: Duration
  /// How long a partition that has been read to its end may be silent before nobody waits for it.
  public let idle: Duration
  /// How far ahead of the clock an event's time may be; further ahead it is taken for a mistake.
  public let ahead: Duration

  public static let usualIdle = Duration.seconds(60)
  public static let usualAhead = Duration.seconds(600)

  public init(lateness: Duration, idle: Duration = usualIdle, ahead: Duration = usualAhead) {
    self.lateness = lateness
    self.idle = idle
    self.ahead = ahead
  }
}

/// Each event of a topic becomes one event of another, none, or several.
public struct TransformPlan: Sendable {
  /// One output of an event.
  public struct Made: Sendable, Hashable {
    public let data: JSON
    /// Nil keeps the key that the event came with.
    public let key: String?

    public init(data: JSON, key: String? = nil) {
      self.data = data
      self.key = key
    }
  }
  public typealias Handler = @Sendable (StreamEvent) throws(StreamRefusal) -> [Made]

  public let input: StreamInput
  public let handler: Handler

  /// - Parameter handler: is called once or more for each event, and has no other effect than what it gives.
  public init(input: StreamInput, handler: @escaping Handler) {
    self.input = input
    self.handler = handler
  }

  /// Each event becomes one, as the template says.
  public init(input: StreamInput, output: Template, key: JSONPath?) {
    let keyed = key.map { StreamInput(topic: input.topic, key: $0) }
    self.init(input: input) { (event) throws(StreamRefusal) in
      [Made(data: try Self.render(output, of: event), key: try keyed?.key(of: event))]
    }
  }

  private static func render(_ template: Template, of event: StreamEvent) throws(StreamRefusal) -> JSON {
    do {
      return try template.render(in: event.document)
    } catch {
      throw StreamRefusal(error.code, "The output can't be made of the event: \(error.message).")
    }
  }
}

/// Counts the events of each key in windows of time.
public struct CountPlan: Sendable, Hashable {
  public let input: StreamInput
  /// How long a window is. Windows begin at multiples of `advance` since 1970-01-01T00:00Z.
  public let size: Duration
  /// How far apart windows begin: `size` for tumbling windows, less for hopping ones.
  public let advance: Duration
  public let timing: StreamTiming
  /// When every partition is silent, a window is closed this long after its end; nil waits for the next event.
  public let closeAfter: Duration?

  /// The most windows that one event may be counted in.
  public static let mostWindows = 1_000

  public init(
    input: StreamInput, size: Duration, advance: Duration? = nil, timing: StreamTiming, closeAfter: Duration? = nil
  ) {
    self.input = input
    self.size = size
    self.advance = advance ?? size
    self.timing = timing
    self.closeAfter = closeAfter
  }
}

/// Finds pairs of events of two topics with one key whose times are near each other.
public struct JoinPlan: Sendable, Hashable {
  public let left: StreamInput
  public let right: StreamInput
  /// The most that the times of a pair may differ, either way.
  public let within: Duration
  public let timing: StreamTiming

  public init(left: StreamInput, right: StreamInput, within: Duration, timing: StreamTiming) {
    self.left = left
    self.right = right
    self.within = within
    self.timing = timing
  }
}
