// An engine of FIX for tests: QuickFIX's own sessions, stores and sockets, told what to do by lines.
//
//   engine initiator|acceptor SETTINGS LOG
//
// SETTINGS is a file of settings as QuickFIX reads them, with one session. LOG gets a line for everything that happens,
// each written at once, so that it is complete however the engine ends:
//
//   start                 the engine has begun
//   logon, logout         the session is there, or gone
//   sent MESSAGE          it went out: every message, also again
//   came MESSAGE          it came in: every message, also one that the session then ignores
//   got MESSAGE           the application got it, in the order of numbers
//   event TEXT            what QuickFIX says of the session
//
// In a MESSAGE, `|` stands for SOH. Lines on standard input tell the engine what to do; each answers by one line:
//
//   orders FIRST COUNT RATE     send so many orders with these ClOrdIDs, so many a second (0: all at once)
//   rush COUNT                  send so many of the orders that are left at once, also without a session
//   send 35=D|11=1|...          send a message of these fields; the session makes the rest of the header
//   set sender|target N         go on with this number: what a broken engine, or a tired operator, does
//   cut                         close the connection; an initiator makes a new one
//   logon, logout               begin, or end, the session in good order
//   state                       answers `state SENDER TARGET LOGGED-ON ORDERS-TO-SEND`: the next numbers of both ways
//   last                        answers `last ID`: the ClOrdID of the last order in the store, 0 without one
//   quit                        end without a Logout
//
// An acceptor answers each order by an ExecutionReport. An order that comes again is not answered again, unless the
// acceptor has been started in between.

#include <quickfix/FileStore.h>
#include <quickfix/Session.h>
#include <quickfix/SocketAcceptor.h>
#include <quickfix/SocketInitiator.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <set>
#include <sstream>

namespace {

using Clock = std::chrono::steady_clock;

class Lines : public FIX::Log, public FIX::LogFactory {
public:
  explicit Lines(const char* path) : file(open(path, O_WRONLY | O_CREAT | O_APPEND, 0600)) {}

  void write(const char* kind, std::string text = "") {
    std::replace(text.begin(), text.end(), '\001', '|');
    std::replace(text.begin(), text.end(), '\n', ' ');
    text = std::string(kind) + (text.empty() ? "" : " ") + text + "\n";
    if (::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      abort();
  }

  FIX::Log* create() override { return this; }
  FIX::Log* create(const FIX::SessionID&) override { return this; }
  void destroy(FIX::Log*) override {}
  void clear() override {}
  void backup() override {}
  void onIncoming(const std::string& message) override { write("came", message); }
  void onOutgoing(const std::string& message) override { write("sent", message); }
  void onEvent(const std::string& text) override { write("event", text); }

private:
  int file;
};

void set(FIX::Message& message, int tag, const std::string& value) {
  if (FIX::Message::isHeaderField(tag))
    message.getHeader().setField(tag, value);
  else
    message.setField(tag, value);
}

void send(const FIX::SessionID& session, std::initializer_list<std::pair<int, std::string>> fields) {
  FIX::Message message;
  for (const auto& field : fields)
    set(message, field.first, field.second);
  FIX::Session::sendToTarget(message, session);
}

class Application : public FIX::Application {
public:
  Application(Lines& lines, bool answers) : lines(lines), answers(answers) {}

  void onCreate(const FIX::SessionID&) override {}
  void onLogon(const FIX::SessionID&) override { lines.write("logon"); }
  void onLogout(const FIX::SessionID&) override { lines.write("logout"); }
  void toAdmin(FIX::Message&, const FIX::SessionID&) override {}
  void toApp(FIX::Message&, const FIX::SessionID&) throw(FIX::DoNotSend) override {}
  void fromAdmin(const FIX::Message&, const FIX::SessionID&) throw(
      FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::RejectLogon) override {}

  void fromApp(const FIX::Message& message, const FIX::SessionID& session) throw(
      FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::UnsupportedMessageType) override {
    lines.write("got", message.toString());
    if (answers && message.getHeader().getField(35) == "D" && answered.insert(message.getField(11)).second) {
      const auto id = message.getField(11), quantity = message.getField(38);
      send(session, {{35, "8"}, {37, "O" + id}, {17, "E" + id}, {11, id}, {20, "0"}, {39, "2"}, {150, "2"},
                     {55, message.getField(55)}, {54, message.getField(54)}, {38, quantity}, {32, quantity},
                     {31, "10"}, {151, "0"}, {14, quantity}, {6, "10"}});
    }
  }

private:
  Lines& lines;
  bool answers;
  std::set<std::string> answered;  // the ClOrdIDs, since the start
};

class Engine {
public:
  explicit Engine(const FIX::SessionID& id) : id(id), session(*FIX::Session::lookupSession(id)) {}

  // Sends the orders whose time has come. They wait for the session; `send` does not.
  void work() {
    if (!session.isLoggedOn())
      due = Clock::now();
    else
      for (; left > 0 && (rate == 0 || Clock::now() >= due); --left) {
        send_order(next++);
        if (rate > 0)
          due += std::chrono::microseconds(1000000 / rate);
      }
  }

  bool obey(const std::string& line) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "orders") {
      words >> next >> left >> rate;
      due = Clock::now();
    } else if (word == "rush") {
      long count = 0;
      for (words >> count; count > 0 && left > 0; --count, --left)
        send_order(next++);
    } else if (word == "send") {
      send_fields(line.substr(5));
    } else if (word == "set") {
      int number = 0;
      words >> word >> number;
      if (word == "sender")
        session.setNextSenderMsgSeqNum(number);
      else
        session.setNextTargetMsgSeqNum(number);
    } else if (word == "cut") {
      session.disconnect();
    } else if (word == "logon") {
      session.logon();
    } else if (word == "logout") {
      session.logout();
    } else if (word == "state") {
      std::cout << "state " << session.getExpectedSenderNum() << ' ' << session.getExpectedTargetNum() << ' '
                << session.isLoggedOn() << ' ' << left << std::endl;
      return true;
    } else if (word == "last") {
      std::cout << "last " << last_order() << std::endl;
      return true;
    } else if (word == "quit") {
      return false;
    }
    std::cout << "done " << line << std::endl;
    return true;
  }

private:
  void send_order(long number) {
    const auto now = FIX::UtcTimeStampConvertor::convert(FIX::UtcTimeStamp());
    send(id, {{35, "D"}, {11, std::to_string(number)}, {21, "1"}, {55, "ACME"}, {54, "1"}, {60, now},
              {38, "100"}, {40, "2"}, {44, "10"}});
  }

  void send_fields(const std::string& text) {
    FIX::Message message;
    std::istringstream fields(text);
    for (std::string field; std::getline(fields, field, '|');) {
      const auto at = field.find('=');
      set(message, std::atoi(field.c_str()), field.substr(at + 1));
    }
    FIX::Session::sendToTarget(message, id);
  }

  std::string last_order() {
    for (int number = session.getExpectedSenderNum() - 1; number > 0; --number) {
      std::vector<std::string> found;
      session.getStore()->get(number, number, found);
      if (!found.empty() && found[0].find("\00135=D\001") != std::string::npos)
        return FIX::Message(found[0], false).getField(11);
    }
    return "0";
  }

  FIX::SessionID id;
  FIX::Session& session;
  long next = 1, left = 0, rate = 0;
  Clock::time_point due;
};

// Returns the complete lines that wait on standard input; false at its end.
bool read_lines(std::string& rest, std::vector<std::string>& lines) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (::poll(&input, 1, 1) <= 0)  // QuickFIX's own poll does not wait
    return true;
  char data[65536];
  const auto size = ::read(STDIN_FILENO, data, sizeof data);
  if (size <= 0)
    return false;
  rest.append(data, size);
  for (size_t end; (end = rest.find('\n')) != std::string::npos; rest.erase(0, end + 1))
    lines.push_back(rest.substr(0, end));
  return true;
}

template <class Connector>
void run(const FIX::SessionSettings& settings, Lines& lines, bool answers) {
  Application application(lines, answers);
  FIX::FileStoreFactory stores(settings);
  Connector connector(application, stores, settings, lines);
  connector.poll();
  Engine engine(*settings.getSessions().begin());
  lines.write("start");
  std::cout << "ready" << std::endl;
  std::string rest;
  for (bool goes_on = true; goes_on;) {
    engine.work();
    connector.poll();
    std::vector<std::string> commands;
    goes_on = read_lines(rest, commands);
    for (const auto& command : commands)
      goes_on = goes_on && engine.obey(command);
  }
  std::cout << "ended" << std::endl;
  std::_Exit(0);  // QuickFIX would log out first
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: engine initiator|acceptor SETTINGS LOG" << std::endl;
    return 2;
  }
  try {
    const FIX::SessionSettings settings(arguments[2]);
    Lines lines(arguments[3]);
    if (std::string(arguments[1]) == "initiator")
      run<FIX::SocketInitiator>(settings, lines, false);
    else
      run<FIX::SocketAcceptor>(settings, lines, true);
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
