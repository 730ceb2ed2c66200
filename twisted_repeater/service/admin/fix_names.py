"""The names of FIX: of the fields and of the types of messages that are seen most often."""

from __future__ import annotations

from typing import Final

__all__ = ["FIELDS", "NUMBERS", "TYPES"]

NAMES = """
1 Account, 2 AdvId, 3 AdvRefID, 4 AdvSide, 5 AdvTransType, 6 AvgPx, 7 BeginSeqNo, 8 BeginString, 9 BodyLength, 10
CheckSum, 11 ClOrdID, 12 Commission, 13 CommType, 14 CumQty, 15 Currency, 16 EndSeqNo, 17 ExecID, 18 ExecInst, 19
ExecRefID, 20 ExecTransType, 21 HandlInst, 22 SecurityIDSource, 23 IOIID, 25 IOIQltyInd, 26 IOIRefID, 27 IOIQty, 28
IOITransType, 29 LastCapacity, 30 LastMkt, 31 LastPx, 32 LastQty, 33 NoLinesOfText, 34 MsgSeqNum, 35 MsgType, 36
NewSeqNo, 37 OrderID, 38 OrderQty, 39 OrdStatus, 40 OrdType, 41 OrigClOrdID, 42 OrigTime, 43 PossDupFlag, 44 Price, 45
RefSeqNum, 48 SecurityID, 49 SenderCompID, 50 SenderSubID, 52 SendingTime, 53 Quantity, 54 Side, 55 Symbol, 56
TargetCompID, 57 TargetSubID, 58 Text, 59 TimeInForce, 60 TransactTime, 61 Urgency, 62 ValidUntilTime, 63 SettlType, 64
SettlDate, 65 SymbolSfx, 66 ListID, 67 ListSeqNo, 68 TotNoOrders, 69 ListExecInst, 70 AllocID, 71 AllocTransType, 72
RefAllocID, 73 NoOrders, 74 AvgPxPrecision, 75 TradeDate, 76 ExecBroker, 77 PositionEffect, 78 NoAllocs, 79
AllocAccount, 80 AllocQty, 81 ProcessCode, 82 NoRpts, 83 RptSeq, 84 CxlQty, 85 NoDlvyInst, 87 AllocStatus, 88
AllocRejCode, 89 Signature, 90 SecureDataLen, 91 SecureData, 93 SignatureLength, 94 EmailType, 95 RawDataLength, 96
RawData, 97 PossResend, 98 EncryptMethod, 99 StopPx, 100 ExDestination, 102 CxlRejReason, 103 OrdRejReason, 104
IOIQualifier, 106 Issuer, 107 SecurityDesc, 108 HeartBtInt, 110 MinQty, 111 MaxFloor, 112 TestReqID, 113 ReportToExch,
114 LocateReqd, 115 OnBehalfOfCompID, 116 OnBehalfOfSubID, 117 QuoteID, 118 NetMoney, 119 SettlCurrAmt, 120
SettlCurrency, 121 ForexReq, 122 OrigSendingTime, 123 GapFillFlag, 124 NoExecs, 126 ExpireTime, 127 DKReason, 128
DeliverToCompID, 129 DeliverToSubID, 131 QuoteReqID, 132 BidPx, 133 OfferPx, 134 BidSize, 135 OfferSize, 136
NoMiscFees, 137 MiscFeeAmt, 138 MiscFeeCurr, 139 MiscFeeType, 140 PrevClosePx, 141 ResetSeqNumFlag, 142
SenderLocationID, 143 TargetLocationID, 144 OnBehalfOfLocationID, 145 DeliverToLocationID, 146 NoRelatedSym, 147
Subject, 148 Headline, 149 URLLink, 150 ExecType, 151 LeavesQty, 152 CashOrderQty, 153 AllocAvgPx, 154 AllocNetMoney,
155 SettlCurrFxRate, 156 SettlCurrFxRateCalc, 157 NumDaysInterest, 158 AccruedInterestRate, 159 AccruedInterestAmt, 160
SettlInstMode, 161 AllocText, 162 SettlInstID, 163 SettlInstTransType, 164 EmailThreadID, 165 SettlInstSource, 167
SecurityType, 168 EffectiveTime, 188 BidSpotRate, 189 BidForwardPoints, 190 OfferSpotRate, 191 OfferForwardPoints, 192
OrderQty2, 193 SettlDate2, 194 LastSpotRate, 195 LastForwardPoints, 196 AllocLinkID, 197 AllocLinkType, 198
SecondaryOrderID, 199 NoIOIQualifiers, 200 MaturityMonthYear, 201 PutOrCall, 202 StrikePrice, 203 CoveredOrUncovered,
204 CustomerOrFirm, 205 MaturityDay, 206 OptAttribute, 207 SecurityExchange, 208 NotifyBrokerOfCredit, 209
AllocHandlInst, 210 MaxShow, 211 PegOffsetValue, 212 XmlDataLen, 213 XmlData, 214 SettlInstRefID, 215 NoRoutingIDs, 216
RoutingType, 217 RoutingID, 218 Spread, 223 CouponRate, 228 Factor, 231 ContractMultiplier, 232 NoStipulations, 233
StipulationType, 234 StipulationValue, 235 YieldType, 236 Yield, 262 MDReqID, 263 SubscriptionRequestType, 264
MarketDepth, 265 MDUpdateType, 266 AggregatedBook, 267 NoMDEntryTypes, 268 NoMDEntries, 269 MDEntryType, 270 MDEntryPx,
271 MDEntrySize, 272 MDEntryDate, 273 MDEntryTime, 274 TickDirection, 275 MDMkt, 276 QuoteCondition, 277
TradeCondition, 278 MDEntryID, 279 MDUpdateAction, 280 MDEntryRefID, 281 MDReqRejReason, 282 MDEntryOriginator, 283
LocationID, 284 DeskID, 285 DeleteReason, 286 OpenCloseSettlFlag, 287 SellerDays, 288 MDEntryBuyer, 289 MDEntrySeller,
290 MDEntryPositionNo, 291 FinancialStatus, 292 CorporateAction, 293 DefBidSize, 294 DefOfferSize, 295 NoQuoteEntries,
296 NoQuoteSets, 297 QuoteStatus, 298 QuoteCancelType, 299 QuoteEntryID, 300 QuoteRejectReason, 301 QuoteResponseLevel,
302 QuoteSetID, 303 QuoteRequestType, 304 TotNoQuoteEntries, 305 UnderlyingSecurityIDSource, 306 UnderlyingIssuer, 307
UnderlyingSecurityDesc, 308 UnderlyingSecurityExchange, 309 UnderlyingSecurityID, 310 UnderlyingSecurityType, 311
UnderlyingSymbol, 320 SecurityReqID, 321 SecurityRequestType, 322 SecurityResponseID, 323 SecurityResponseType, 324
SecurityStatusReqID, 325 UnsolicitedIndicator, 326 SecurityTradingStatus, 327 HaltReason, 328 InViewOfCommon, 329
DueToRelated, 330 BuyVolume, 331 SellVolume, 332 HighPx, 333 LowPx, 334 Adjustment, 335 TradSesReqID, 336
TradingSessionID, 337 ContraTrader, 338 TradSesMethod, 339 TradSesMode, 340 TradSesStatus, 341 TradSesStartTime, 342
TradSesOpenTime, 343 TradSesPreCloseTime, 344 TradSesCloseTime, 345 TradSesEndTime, 346 NumberOfOrders, 347
MessageEncoding, 348 EncodedIssuerLen, 349 EncodedIssuer, 350 EncodedSecurityDescLen, 351 EncodedSecurityDesc, 352
EncodedListExecInstLen, 353 EncodedListExecInst, 354 EncodedTextLen, 355 EncodedText, 356 EncodedSubjectLen, 357
EncodedSubject, 358 EncodedHeadlineLen, 359 EncodedHeadline, 360 EncodedAllocTextLen, 361 EncodedAllocText, 365
EncodedUnderlyingSecurityDesc, 366 AllocPrice, 367 QuoteSetValidUntilTime, 368 QuoteEntryRejectReason, 369
LastMsgSeqNumProcessed, 371 RefTagID, 372 RefMsgType, 373 SessionRejectReason, 374 BidRequestTransType, 375
ContraBroker, 376 ComplianceID, 377 SolicitedFlag, 378 ExecRestatementReason, 379 BusinessRejectRefID, 380
BusinessRejectReason, 381 GrossTradeAmt, 382 NoContraBrokers, 383 MaxMessageSize, 384 NoMsgTypes, 385 MsgDirection, 386
NoTradingSessions, 387 TotalVolumeTraded, 388 DiscretionInst, 389 DiscretionOffsetValue, 390 BidID, 391 ClientBidID,
392 ListName, 393 TotNoRelatedSym, 394 BidType, 423 PriceType, 424 DayOrderQty, 425 DayCumQty, 426 DayAvgPx, 427
GTBookingInst, 429 ListStatusType, 431 ListOrderStatus, 432 ExpireDate, 433 ListExecInstType, 434 CxlRejResponseTo, 435
UnderlyingCouponRate, 437 ContraTradeQty, 438 ContraTradeTime, 440 ClearingAccount, 442 MultiLegReportingType, 447
PartyIDSource, 448 PartyID, 452 PartyRole, 453 NoPartyIDs, 454 NoSecurityAltID, 455 SecurityAltID, 456
SecurityAltIDSource, 460 Product, 461 CFICode, 462 UnderlyingProduct, 483 TransBkdTime, 526 SecondaryClOrdID, 527
SecondaryExecID, 528 OrderCapacity, 529 OrderRestrictions, 530 MassCancelRequestType, 531 MassCancelResponse, 532
MassCancelRejectReason, 533 TotalAffectedOrders, 534 NoAffectedOrders, 541 MaturityDate, 548 CrossID, 549 CrossType,
550 CrossPrioritization, 551 OrigCrossID, 552 NoSides, 553 Username, 554 Password, 555 NoLegs, 556 LegCurrency, 559
SecurityListRequestType, 560 SecurityRequestResult, 564 LegPositionEffect, 566 LegPrice, 568 TradeRequestID, 569
TradeRequestType, 571 TradeReportID, 580 NoDates, 581 AccountType, 582 CustOrderCapacity, 583 ClOrdLinkID, 584
MassStatusReqID, 585 MassStatusReqType, 587 LegSettlType, 588 LegSettlDate, 600 LegSymbol, 602 LegSecurityID, 603
LegSecurityIDSource, 608 LegCFICode, 609 LegSecurityType, 616 LegSecurityExchange, 623 LegRatioQty, 624 LegSide, 625
TradingSessionSubID, 636 WorkingIndicator, 637 LegLastPx, 639 PriceImprovement, 654 LegRefID, 660 AcctIDSource, 687
LegQty, 693 QuoteRespID, 694 QuoteRespType, 711 NoUnderlyings, 715 ClearingBusinessDate, 747 ExerciseMethod, 768
NoTrdRegTimestamps, 769 TrdRegTimestamp, 770 TrdRegTimestampType, 789 NextExpectedMsgSeqNum, 797 CopyMsgIndicator, 801
QuoteStatusReportType, 802 NoPartySubIDs, 803 PartySubIDType, 847 TargetStrategy, 851 LastLiquidityInd, 880 TrdMatchID,
908 CollRptID, 911 TotNumReports, 912 LastRptRequested, 923 UserRequestID, 924 UserRequestType, 925 NewPassword, 926
UserStatus, 927 UserStatusText, 957 NoStrategyParameters, 1003 TradeID, 1057 AggressorIndicator, 1080 RefOrderID, 1128
ApplVerID, 1129 CstmApplVerID, 1137 DefaultApplVerID, 1138 DisplayQty, 1400 EncryptedPasswordMethod, 1401
EncryptedPasswordLen, 1402 EncryptedPassword, 1403 EncryptedNewPasswordLen, 1404 EncryptedNewPassword, 1406
RefApplExtID, 1407 DefaultApplExtID, 1409 SessionStatus
"""

CODES = """
0 Heartbeat, 1 TestRequest, 2 ResendRequest, 3 Reject, 4 SequenceReset, 5 Logout, 6 IOI, 7 Advertisement, 8
ExecutionReport, 9 OrderCancelReject, A Logon, B News, C Email, D NewOrderSingle, E NewOrderList, F OrderCancelRequest,
G OrderCancelReplaceRequest, H OrderStatusRequest, J AllocationInstruction, K ListCancelRequest, L ListExecute, M
ListStatusRequest, N ListStatus, P AllocationInstructionAck, Q DontKnowTrade, R QuoteRequest, S Quote, T
SettlementInstructions, V MarketDataRequest, W MarketDataSnapshotFullRefresh, X MarketDataIncrementalRefresh, Y
MarketDataRequestReject, Z QuoteCancel, a QuoteStatusRequest, b MassQuoteAcknowledgement, c SecurityDefinitionRequest,
d SecurityDefinition, e SecurityStatusRequest, f SecurityStatus, g TradingSessionStatusRequest, h TradingSessionStatus,
i MassQuote, j BusinessMessageReject, k BidRequest, l BidResponse, m ListStrikePrice, n XMLnonFIX, o
RegistrationInstructions, p RegistrationInstructionsResponse, q OrderMassCancelRequest, r OrderMassCancelReport, s
NewOrderCross, t CrossOrderCancelReplaceRequest, u CrossOrderCancelRequest, v SecurityTypeRequest, w SecurityTypes, x
SecurityListRequest, y SecurityList, z DerivativeSecurityListRequest, AA DerivativeSecurityList, AB NewOrderMultileg,
AC MultilegOrderCancelReplace, AD TradeCaptureReportRequest, AE TradeCaptureReport, AF OrderMassStatusRequest, AG
QuoteRequestReject, AH RFQRequest, AI QuoteStatusReport, AJ QuoteResponse, AK Confirmation, AL
PositionMaintenanceRequest, AM PositionMaintenanceReport, AN RequestForPositions, AO RequestForPositionsAck, AP
PositionReport, AQ TradeCaptureReportRequestAck, AR TradeCaptureReportAck, AS AllocationReport, AT AllocationReportAck,
AU ConfirmationAck, AY CollateralAssignment, AZ CollateralResponse, BA CollateralReport, BE UserRequest, BF
UserResponse, BG CollateralInquiryAck, BH ConfirmationRequest, BZ OrderMassActionReport, CA OrderMassActionRequest
"""


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return pairs of a text such as ``1 one, 2 two``."""
    return [(code, name) for code, name in (each.split() for each in text.split(","))]


FIELDS: Final[dict[int, str]] = {int(tag): name for tag, name in _pairs(NAMES)}
"""The name of a field by its tag."""

NUMBERS: Final[dict[str, int]] = {name: tag for tag, name in FIELDS.items()}
"""The tag of a field by its name."""

TYPES: Final[dict[str, str]] = dict(_pairs(CODES))
"""The name of a type of messages by its code, field 35."""
