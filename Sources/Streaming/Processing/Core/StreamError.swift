public import Values

/// Why a stream can't run.
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
      "The state of “\(name)” was made by another definition: give the stream a new name, or begin anew with "
        + "`saga streams reset`.")
  }

  static func offsetGone(_ partition: StreamPartition, offset: Int64, end: Int64) -> StreamError {
    StreamError(
      StreamingErrorCode.streamOffsetGone,
      "The stream has read \(partition) up to offset \(offset), but it ends at \(end): the topic was made anew. Begin "
        + "anew with `saga streams reset`.")
  }
}
