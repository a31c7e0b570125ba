public import Values

/// The error of a message that can never be handled. The message becomes a dead letter with this reason, and the consumer
/// continues with the next one.
public struct Poison: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// The handlers of messages, by type.
///
/// A handler returns when its effect is durable; only then the consumer commits the message's offset. It throws `Poison`
/// for a message that can never be handled. After any other error the consumer calls it again with the same message, with
/// growing backoff. A message may come more than once, so a handler must make repeats harmless.
public struct MessageHandlers: Sendable {
  public typealias Handler = @Sendable (KafkaMessage) async throws -> Void
  private let handler: Handler

  /// Uses one handler for messages of all types.
  public init(all handler: @escaping Handler) { self.handler = handler }

  /// Uses one handler for each type of message. A message of another type is poison; its reason names the known types.
  /// - Parameters:
  ///   - read: returns a message's type and the content for its handler. Throws `Poison` when it can't read them.
  ///   - handlers: the handlers by type.
  public init<Content: Sendable>(
    reading read: @escaping @Sendable (KafkaMessage) async throws -> (type: String, content: Content),
    _ handlers: [String: @Sendable (Content) async throws -> Void]
  ) {
    handler = { message in
      let (type, content) = try await read(message)
      guard let handler = handlers[type] else {
        let known = handlers.keys.sorted().joined(separator: ", ")
        throw Poison(
          MessagingErrorCode.messageUnknownType,
          "No handler takes messages of the type “\(type)”. The known types are \(known).")
      }
      try await handler(content)
    }
  }

  /// - Throws: `Poison`, or whatever the handler throws.
  public func handle(_ message: KafkaMessage) async throws { try await handler(message) }
}
