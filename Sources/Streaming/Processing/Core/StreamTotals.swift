import JSON

/// The numbers of messages that a stream has read, by outcome, since it began.
public struct StreamTotals: Sendable, Hashable {
  /// All messages that were read.
  public var read = 0
  /// Events that the stream does not take.
  public var ignored = 0
  /// Repeated events.
  public var repeated = 0
  /// Events behind the watermark: not counted in every window, or not paired with every partner.
  public var late = 0
  /// Messages that became dead letters.
  public var refused = 0
  /// Outputs that were delivered.
  public var sent = 0
  /// Messages that the broker had deleted before they were read.
  public var lost = 0

  public init() {}

  var json: JSON {
    [
      "read": .int(read), "ignored": .int(ignored), "repeated": .int(repeated), "late": .int(late),
      "refused": .int(refused), "sent": .int(sent), "lost": .int(lost),
    ]
  }

  /// - Returns: nil when this is not the JSON of stored totals.
  init?(_ json: JSON) {
    guard let read = json["read"]?.intValue, let ignored = json["ignored"]?.intValue,
      let repeated = json["repeated"]?.intValue, let late = json["late"]?.intValue,
      let refused = json["refused"]?.intValue, let sent = json["sent"]?.intValue, let lost = json["lost"]?.intValue
    else { return nil }
    self.read = read
    self.ignored = ignored
    self.repeated = repeated
    self.late = late
    self.refused = refused
    self.sent = sent
    self.lost = lost
  }
}
