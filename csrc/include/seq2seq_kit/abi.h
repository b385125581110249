// The version of the C++ interface in this folder. It is raised whenever a type here changes its layout or meaning, and
// compared when compiled code of a third party registers.
#pragma once

#define SEQ2SEQ_KIT_ABI 2
