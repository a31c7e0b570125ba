public import JSON
import Runtime
import Values
public import Workflows

/// A stream: the topics it reads, its work, and its output topic.
public struct StreamDefinition: Sendable {
  public enum Work: Sendable {
    case transform(TransformPlan)
    case count(CountPlan)
    case join(JoinPlan)
  }

  /// The name of its state, its ids and its source. Another definition needs another name.
  public let name: String
  public let description: String?
  public let work: Work
  /// The output topic.
  public let to: String
  /// The `type` of its output events.
  public let type: String
  /// The topic for late events; nil drops them.
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

  /// The CloudEvents `source` of its output events.
  public var source: String { "/streams/\(name)" }

  /// The topics that it reads, each once.
  public var topics: [String] {
    switch work {
    case .transform(let plan): [plan.input.topic]
    case .count(let plan): [plan.input.topic]
    case .join(let plan): plan.left.topic == plan.right.topic ? [plan.left.topic] : [plan.left.topic, plan.right.topic]
    }
  }

  /// Its timing; nil when the stream does not use time.
  var timing: StreamTiming? {
    switch work {
    case .transform: nil
    case .count(let plan): plan.timing
    case .join(let plan): plan.timing
    }
  }

  /// A digest of all parts of the definition on which the stored state depends. State with another fingerprint can't be
  /// used.
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

/// The lateness, the idle time and the clock tolerance of a stream.
public struct StreamTiming: Sendable, Hashable {
  /// How far an event's time may be before the latest event of its partition and still count.
  public let lateness: Duration
  /// How long a partition that was read to its end may be silent before the stream stops waiting for it.
  public let idle: Duration
  /// How far an event's time may be ahead of the clock. An event further ahead is refused as a mistake.
  public let ahead: Duration

  public static let usualIdle = Duration.seconds(60)
  public static let usualAhead = Duration.seconds(600)

  public init(lateness: Duration, idle: Duration = usualIdle, ahead: Duration = usualAhead) {
    self.lateness = lateness
    self.idle = idle
    self.ahead = ahead
  }
}

/// Makes no, one or several output events from each event of a topic.
public struct TransformPlan: Sendable {
  /// One output of an event.
  public struct Made: Sendable, Hashable {
    public let data: JSON
    /// The output's key; nil keeps the event's key.
    public let key: String?

    public init(data: JSON, key: String? = nil) {
      self.data = data
      self.key = key
    }
  }
  public typealias Handler = @Sendable (StreamEvent) throws(StreamRefusal) -> [Made]

  public let input: StreamInput
  public let handler: Handler

  /// - Parameter handler: returns the outputs of an event. It is called at least once for each event and has no other
  ///   effect.
  public init(input: StreamInput, handler: @escaping Handler) {
    self.input = input
    self.handler = handler
  }

  /// Makes one output from each event by a template.
  public init(input: StreamInput, output: Template, key: JSONPath?) {
    let keyed = key.map { StreamInput(topic: input.topic, key: $0) }
    self.init(input: input) { (event) throws(StreamRefusal) in
      [Made(data: try Self.render(output, of: event), key: try keyed?.key(of: event))]
    }
  }

  private static func render(_ template: Template, of event: StreamEvent) throws(StreamRefusal) -> JSON {
    do {
      return try template.render(in: event.document) ?? .null
    } catch {
      throw StreamRefusal(error.code, "The output can't be made from the event: \(error.message).")
    }
  }
}

/// Counts the events of each key in windows of time.
public struct CountPlan: Sendable, Hashable {
  public let input: StreamInput
  /// The length of a window. Windows begin at multiples of `advance` since 1970-01-01T00:00Z.
  public let size: Duration
  /// The time between the beginnings of two windows: `size` for tumbling windows, less for hopping ones.
  public let advance: Duration
  public let timing: StreamTiming
  /// When all partitions are silent, a window is closed this long after its end. With nil it waits for the next event.
  public let closeAfter: Duration?

  /// The largest number of windows in which one event may be counted.
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

/// Finds pairs of events of two topics that have the same key and times near each other.
public struct JoinPlan: Sendable, Hashable {
  public let left: StreamInput
  public let right: StreamInput
  /// The largest difference between the times of a pair, in either direction.
  public let within: Duration
  public let timing: StreamTiming

  public init(left: StreamInput, right: StreamInput, within: Duration, timing: StreamTiming) {
    self.left = left
    self.right = right
    self.within = within
    self.timing = timing
  }
}
