public import Values

/// A message that no repetition helps: it goes to the dead letters with this reason, and the partition goes on.
public struct Poison: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// What is done with messages, by their type.
///
/// A handler returns once its effect is durable: only then does the message's offset move. It throws `Poison` for what
/// can never be handled; whatever else it throws is taken for passing, and it is called again with the same message,
/// later and later. A message may come more than once, so a handler makes repeats harmless.
public struct MessageHandlers: Sendable {
  public typealias Handler = @Sendable (KafkaMessage) async throws -> Void
  private let handler: Handler

  /// One handler for messages of any type.
  public init(all handler: @escaping Handler) { self.handler = handler }

  /// One handler for each type of message; a message of another type is poison, and its reason names those that there are.
  /// - Parameters:
  ///   - read: what type a message is of, and what its handler needs of it. Throws poison when that can't be told.
  ///   - handlers: by type.
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
          "Nobody handles messages of the type “\(type)” here; there are \(known).")
      }
      try await handler(content)
    }
  }

  /// - Throws: `Poison`, or whatever the handler throws.
  public func handle(_ message: KafkaMessage) async throws { try await handler(message) }
}
