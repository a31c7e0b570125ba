public import Values

/// An error that stops a stream.
public struct StreamError: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }

  static func unreadable(_ document: String) -> StreamError {
    StreamError(
      StreamingErrorCode.streamStateUnreadable, "The stored state can't be read: document “\(document)” is damaged.")
  }

  static func definitionChanged(_ name: String) -> StreamError {
    StreamError(
      StreamingErrorCode.streamDefinitionChanged,
      "The state of “\(name)” belongs to another definition. Give the stream a new name, or delete its state with "
        + "`saga streams reset`.")
  }

  static func offsetGone(_ partition: StreamPartition, offset: Int64, end: Int64) -> StreamError {
    StreamError(
      StreamingErrorCode.streamOffsetGone,
      "The stream has read \(partition) up to offset \(offset), but it ends at \(end). The topic was created again. "
        + "Delete the stream's state with `saga streams reset`.")
  }
}
