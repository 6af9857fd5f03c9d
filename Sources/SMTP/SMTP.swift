import Bytes
import MessageFormat
