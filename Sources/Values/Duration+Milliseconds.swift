extension Duration {
  /// The duration in milliseconds, without the part below a millisecond. Times beyond the range of `Int` become its limits.
  ///
  /// A division by `.milliseconds(1)` computes with floating-point numbers. Of the whole milliseconds below 10,000 seconds
  /// it gives one less for every 23rd, beginning with 295,149.
  package var wholeMilliseconds: Int {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
    let (sum, overflowsToo) = whole.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
    return overflow || overflowsToo ? (seconds < 0 ? .min : .max) : Int(sum)
  }
}
