public import Runtime

/// Why a stream can't run.
public struct StreamError: CodedError, Hashable {
  public let code: String
  public let message: String
  /// Whether trying again later may help.
  public let isPassing: Bool

  public init(_ code: String, _ message: String, isPassing: Bool = false) {
    self.code = code
    self.message = message
    self.isPassing = isPassing
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

  static func tooManyPartitions(_ topic: String, _ count: Int, shards: Int) -> StreamError {
    StreamError(
      StreamingErrorCode.streamTooManyPartitions,
      "The topic \(topic) has \(count) partitions, but the store has \(shards) shards, and each partition needs one.")
  }

  static func offsetGone(_ partition: StreamPartition, offset: Int64, end: Int64) -> StreamError {
    StreamError(
      StreamingErrorCode.streamOffsetGone,
      "The stream has read \(partition) up to offset \(offset), but it ends at \(end): the topic was made anew. Begin "
        + "anew with `saga streams reset`.")
  }
}
