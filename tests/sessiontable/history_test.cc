#include "sessiontable/history.h"

#include <gtest/gtest.h>

#include <string>

namespace linger::test {
namespace {

std::string text_of(const History& history, unsigned originator = 0) {
  std::string text;
  for (std::size_t i = 0; i < kHistoryMax && history.letter(i, originator) != '\0'; ++i)
    text += history.letter(i, originator);
  return text;
}

TEST(history, keeps_each_letter_once_a_side_in_order) {
  History history;
  for (const char* event = "ShADadFfAaD"; *event != '\0'; ++event)
    history.write(*event >= 'a' ? 1 : 0, static_cast<char>(*event & ~0x20));
  EXPECT_EQ(text_of(history), "ShADadFf");
  EXPECT_EQ(text_of(history, 1), "sHadADfF");
}

TEST(history, leaves_out_what_does_not_fit) {
  History history;
  for (const unsigned side : {0u, 1u})
    for (const char letter : History::kLetters) history.write(side, letter);
  EXPECT_EQ(text_of(history), "SHADFRGTWshadfr");
}

TEST(history, forgets_a_letter_and_closes_up) {
  History history;
  for (const unsigned side : {0u, 1u})
    for (const char letter : History::kLetters) history.write(side, letter);
  history.erase(0, 'G');
  history.erase(1, 'G');  // was left out
  EXPECT_EQ(text_of(history), "SHADFRTWshadfr");
  history.write(1, 'W');
  history.erase(1, 'W');
  EXPECT_EQ(text_of(history), "SHADFRTWshadfr");
}

}  // namespace
}  // namespace linger::test
