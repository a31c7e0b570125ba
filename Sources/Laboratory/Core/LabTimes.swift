/// How long the outside registry and the instruments take. The times are short, so that a person can watch them.
public struct LabTimes: Sendable {
  /// From the request to the accession number.
  public var accession = Duration.seconds(10)
  /// From the start of a run to its end.
  public var run = Duration.seconds(30)
  /// From the booking of a measurement to the result of the fluorometer, or of a library's analyzer.
  public var measurement = Duration.seconds(10)
  /// From the start of a robot to the end of its stage.
  public var robot = Duration.seconds(10)
  /// From the start of a demultiplexing job to its files.
  public var demultiplexing = Duration.seconds(10)

  public init() {}
}
