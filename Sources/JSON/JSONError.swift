/// What is wrong with a JSON text, and where.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// One of `JSONErrorCode`.
  public let code: String
  /// One sentence for a person.
  public let message: String
  public let place: SourcePlace
  /// The value that was being read.
  public let pointer: JSONPointer

  public var line: Int { place.line }
  /// Counted from 1, in Unicode scalars.
  public var column: Int { place.column }
  /// In bytes.
  public var offset: Int { place.offset }

  public init(code: String, message: String, place: SourcePlace, pointer: JSONPointer) {
    self.code = code
    self.message = message
    self.place = place
    self.pointer = pointer
  }

  public var description: String { "\(line):\(column): \(message) [\(code)]" }
}

/// What a JSON text may ask of its reader.
public struct JSONLimits: Sendable, Hashable {
  /// How many arrays and objects may stand inside each other.
  public var maxDepth: Int
  public var maxBytes: Int?

  /// Whatever is asked for, no text nests deeper: reading, comparing and freeing a value recurse.
  public static let deepest = 512

  public init(maxDepth: Int = 256, maxBytes: Int? = nil) {
    self.maxDepth = maxDepth
    self.maxBytes = maxBytes
  }

  /// For what comes from outside.
  public static let `default` = JSONLimits()
  /// For what we wrote ourselves: values from outside may stand in it a few levels down.
  public static let stored = JSONLimits(maxDepth: deepest)
}
