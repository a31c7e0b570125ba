import Runtime

/// Metrics in Prometheus' text format, version 0.0.4.
struct PrometheusText {
  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  enum Kind: String {
    /// Goes up and down.
    case gauge
    /// Only goes up, from zero when the process begins; its name ends in `_total`.
    case counter
    /// Counts values by their size: `_bucket`, `_sum` and `_count`.
    case histogram
  }

  /// One line of a metric.
  struct Sample {
    let labels: [(name: String, value: String)]
    let value: String

    init(_ value: Int64, _ labels: KeyValuePairs<String, String> = [:]) {
      self.labels = labels.map { ($0, $1) }
      self.value = "\(value)"
    }

    fileprivate init(_ value: String, _ labels: [(name: String, value: String)]) {
      self.labels = labels
      self.value = value
    }

    init(seconds: Duration, _ labels: KeyValuePairs<String, String> = [:]) {
      let (whole, attoseconds) = seconds.components
      let microseconds = String(attoseconds.magnitude / 1_000_000_000_000)
      let fraction = String(repeating: "0", count: 6 - microseconds.count) + microseconds
      self.labels = labels.map { ($0, $1) }
      // The value is in milliseconds, with a finer fraction only if there is one.
      value =
        "\(whole < 0 || attoseconds < 0 ? "-" : "")\(whole.magnitude)."
        + (fraction.hasSuffix("000") ? String(fraction.dropLast(3)) : fraction)
    }
  }

  private(set) var text = ""

  /// Adds a metric with all its samples, each with labels of its own.
  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    guard !samples.isEmpty else { return }
    begin(name, kind, help)
    for sample in samples { line(name, sample) }
  }

  private mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(Self.escaped(help, also: []))\n# TYPE \(name) \(kind.rawValue)\n"
  }

  private mutating func line(_ name: String, _ sample: Sample) {
    let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value, also: ["\""]))\"" }
    text += "\(name)\(labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}") \(sample.value)\n"
  }

  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Int64) {
    add(name, kind, help, [Sample(value)])
  }

  /// Adds the counters of a metric.
  mutating func add(_ counters: CounterFamily) {
    let family = counters.family
    add(
      family.name, .counter, family.help,
      counters.samples.map { Sample("\($0.value)", Self.labels(of: family, $0.labels)) })
  }

  /// Adds the histograms of a metric.
  mutating func add(_ histograms: HistogramFamily) {
    let (family, samples) = (histograms.family, histograms.samples)
    guard !samples.isEmpty else { return }
    begin(family.name, .histogram, family.help)
    let bounds = histograms.bounds.map(Self.decimal)
    for sample in samples {
      let labels = Self.labels(of: family, sample.labels)
      for (bound, count) in zip(bounds, sample.upTo) {
        line(family.name + "_bucket", Sample("\(count)", labels + [("le", bound)]))
      }
      line(family.name + "_bucket", Sample("\(sample.count)", labels + [("le", "+Inf")]))
      line(family.name + "_sum", Sample(Self.decimal(sample.sum), labels))
      line(family.name + "_count", Sample("\(sample.count)", labels))
    }
  }

  private static func labels(of family: MetricFamily, _ values: [String]) -> [(name: String, value: String)] {
    zip(family.labels, values).map { ($0.name, $1) }
  }

  /// Returns a number of millionths, at least 0, as a decimal number without zeros at its end.
  private static func decimal(_ millionths: Int64) -> String {
    let (whole, part) = millionths.quotientAndRemainder(dividingBy: 1_000_000)
    guard part > 0 else { return "\(whole)" }
    let digits = String(part)
    var fraction = String(repeating: "0", count: 6 - digits.count) + digits
    while fraction.hasSuffix("0") { fraction.removeLast() }
    return "\(whole).\(fraction)"
  }

  private static func escaped(_ text: String, also quotes: Set<Unicode.Scalar>) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": scalars.append(contentsOf: ["\\", "n"])
      case "\\": scalars.append(contentsOf: ["\\", "\\"])
      case _ where quotes.contains(scalar): scalars.append(contentsOf: ["\\", scalar])
      default: scalars.append(scalar)
      }
    }
    return String(scalars)
  }
}
