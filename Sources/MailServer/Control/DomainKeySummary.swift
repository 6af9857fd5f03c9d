import DKIM
import Delivery

extension DomainKeySummary {
  init(_ key: DomainKeys.Key) {
    selector = key.key.selector.text
    algorithm = key.key.algorithm.kept
    switch key.key.stage {
    case .made: (stage, since) = ("made", iso8601(key.key.made))
    case .published(let time): (stage, since) = ("published", iso8601(time))
    case .signing(let time): (stage, since) = ("signing", iso8601(time))
    case .retired(let time): (stage, since) = ("retired", iso8601(time))
    }
    recordName = key.record.name
    record = key.record.text
    zoneLine = key.record.zoneFileLine()
  }
}
