import JSON

/// What has become of everything that a stream has read, since it began.
public struct StreamTotals: Sendable, Hashable {
  /// Messages.
  public var read = 0
  /// Not what the stream is about.
  public var ignored = 0
  /// Had come before.
  public var repeated = 0
  /// Came behind the watermark: not counted in every window, or not paired with every partner.
  public var late = 0
  /// Of no use: in the dead letters.
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

  /// - Returns: nil when this is nothing that was stored.
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
