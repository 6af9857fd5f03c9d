import MailStore
