public import Messaging

/// What a stored event is outside the store.
public struct EchoedEvent: Sendable, Hashable {
  public var topic: String
  public var key: String
  public var event: CloudEvent

  public init(topic: String, key: String, event: CloudEvent) {
    self.topic = topic
    self.key = key
    self.event = event
  }
}
