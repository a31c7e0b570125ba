extension String {
  /// The text as a column can hold it: Postgres keeps no U+0000, and no field of a document may have one. What a participant or
  /// a message said must not stop the shard that it is in, so that the sign for what can't be shown stands in its place.
  public var withoutNUL: String { utf8.contains(0) ? replacing("\0", with: "\u{FFFD}") : self }
}
