public import Messaging

/// The published form of a stored event.
public struct EchoedEvent: Sendable, Hashable {
  public var topic: String
  public var key: String
  public var event: CloudEvent
  /// Whether its data meets the schema that the echo registers, and gets that schema's framing.
  public var isFramed: Bool

  public init(topic: String, key: String, event: CloudEvent, isFramed: Bool = true) {
    self.topic = topic
    self.key = key
    self.event = event
    self.isFramed = isFramed
  }
}
